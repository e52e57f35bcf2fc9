import InterprocessSystem
import SystemPackage

/// A table of visits in a file that is memory: each run adds one, and what was added survives every end of a program.
///
///     swift run Visits /tmp/visits
///     swift run Visits /tmp/visits
@main
struct Visits {
    static func main() {
        do {
            try run()
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() throws {
        guard CommandLine.arguments.count == 2 else { return print("usage: Visits FILE") }
        let path = FilePath(CommandLine.arguments[1])
        let file = OwnedDescriptor(
            owning: try FileDescriptor.open(path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite))
        // One at a time: two that count at once would count one.
        let lock = FileLock.wholeFile(file.descriptor)
        try lock.lock()
        // Zeroes at first, and room on the disk: a full one is an error here, and not a bus error later.
        try file.descriptor.reserve(size: 4096)
        let table = try MappedFile(file.descriptor, byteCount: 4096)
        let visits = unsafe table.withUnsafeMutableBytes { bytes in
            let visits = unsafe bytes.load(as: UInt64.self) + 1
            unsafe bytes.storeBytes(of: visits, as: UInt64.self)
            return visits
        }
        // The end of a program takes nothing away; the end of the machine would.
        try table.sync(0..<8)
        try lock.unlock()
        print("visit \(visits)")
    }
}
