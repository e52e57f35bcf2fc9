import Glibc
import InterprocessSystem
import SystemPackage

/// What this process holds of the kernel: descriptors and mappings. Compared before and after, where nothing else runs in the process.
public struct ResourceCount: Equatable, Sendable, CustomStringConvertible {
    public let descriptors: [String]
    /// Mappings of the files in a directory, and of memory files: those of the library.
    public let mappings: [String]

    /// - Parameter directory: whose files' mappings are counted, besides those of memory files.
    public static func now(_ directory: String) -> ResourceCount {
        var descriptors: [String] = []
        if let names = try? Directory(opening: "/proc/self/fd").names() {
            // The one that reads the directory is gone by now.
            for name in names {
                // Nor do those count that the runtime's event loop makes when it likes; the library has none of these kinds.
                guard let target = link("/proc/self/fd/\(name)"), target.hasPrefix("/"), !target.hasPrefix("/proc/") else { continue }
                descriptors.append("\(name) \(target)")
            }
        }
        return ResourceCount(descriptors: descriptors, mappings: mappedFiles().filter { $0.contains(directory) || $0.contains("/memfd:") })
    }

    public var description: String { "descriptors \(descriptors), mappings \(mappings)" }

    private static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}

/// The lines of `/proc/self/maps`.
public func addressMap() -> [String] {
    guard let file = unsafe fopen("/proc/self/maps", "re") else { return [] }
    defer { unsafe fclose(file) }
    var lines: [String] = []
    var buffer = [CChar](repeating: 0, count: 8192)
    while unsafe fgets(&buffer, CInt(buffer.count), file) != nil {
        lines.append(String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    return lines
}

private func mappedFiles() -> [String] { addressMap().compactMap { $0.contains("/") ? String($0[$0.firstIndex(of: "/")!...]) : nil } }
