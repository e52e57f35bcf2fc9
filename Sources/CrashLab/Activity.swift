import CCrashLab
import CInterprocess
import InterprocessSystem
import SystemPackage

extension Child {
    /// What each of its threads is in, with the words that it sleeps on: for who reads of a hang.
    var activity: String {
        let maps = Mappings(of: pid)
        let threads = ((try? Directory(opening: FilePath("/proc/\(pid)/task")).names()) ?? []).sorted().map { thread in
            let path = "/proc/\(pid)/task/\(thread)/"
            let name = smallFile(path + "comm")?.split(separator: "\n").first ?? "?"
            return "\(name) \(thread) in \(call(smallFile(path + "syscall") ?? "?", maps))"
        }
        return "process \(pid), at milestone '\(actor.reached)': " + threads.joined(separator: ", ")
    }

    private func call(_ text: String, _ maps: Mappings) -> String {
        let fields = text.split(whereSeparator: \.isWhitespace)
        let numbers = fields.dropFirst().map { UInt64($0.dropFirst(2), radix: 16) ?? 0 }
        switch fields.first {
        case "449" where numbers.count > 1:
            let waiters = (0..<min(numbers[1], 128)).compactMap { index in
                read(ipc_futex_waiter.self, at: numbers[0] + index * UInt64(MemoryLayout<ipc_futex_waiter>.stride))
            }
            return "futex_waitv(" + waiters.map { word(UInt64($0.address), $0.expected, maps) }.joined(separator: " ") + ")"
        case "202" where numbers.count > 2: return "futex(" + word(numbers[0], numbers[2], maps) + ")"
        default: return fields.prefix(4).joined(separator: " ")
        }
    }

    /// A word, what the sleeper saw, and what it is now.
    private func word(_ address: UInt64, _ seen: UInt64, _ maps: Mappings) -> String {
        let now = read(UInt32.self, at: address).map { String($0, radix: 16) } ?? "?"
        return "\(maps.name(address)): \(String(seen, radix: 16)), now \(now);"
    }

    private func read<T: BitwiseCopyable>(_: T.Type, at address: UInt64) -> T? {
        unsafe withUnsafeTemporaryAllocation(of: T.self, capacity: 1) { buffer in
            unsafe cl_read(pid, address, buffer.baseAddress, MemoryLayout<T>.size) == 0 ? buffer[0] : nil
        }
    }
}

/// Which file stands where in a process.
private struct Mappings {
    private var lines: [(range: Range<UInt64>, offset: UInt64, file: String)] = []

    init(of pid: Int32) {
        for line in smallFile("/proc/\(pid)/maps", limit: 1 << 20)?.split(separator: "\n") ?? [] {
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count == 6, let file = fields[5].split(separator: "/").last, let offset = UInt64(fields[2], radix: 16) else {
                continue
            }
            let ends = fields[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            if ends.count == 2, ends[0] < ends[1] { lines.append((ends[0]..<ends[1], offset, String(file))) }
        }
    }

    func name(_ address: UInt64) -> String {
        guard let line = lines.first(where: { $0.range.contains(address) }) else { return String(address, radix: 16) }
        return "\(line.file)+\(String(address - line.range.lowerBound + line.offset, radix: 16))"
    }
}
