import InterprocessSystem
import SystemPackage

/// Names of places in code.
enum Disassembly {
    /// A place as a worker tells it, `FILE+0xADDRESS, called from FILE+0xADDRESS`, each with its symbol and instruction if `objdump` is there.
    static func describe(_ place: String) -> String {
        place.split(separator: ", ").map { part in
            let prefix = part.hasPrefix(calledFrom) ? calledFrom : ""
            return prefix + describeOne(String(part.dropFirst(prefix.count)))
        }.joined(separator: ", ")
    }

    private static let calledFrom = "called from "

    private static func describeOne(_ place: String) -> String {
        guard let plus = place.lastIndex(of: "+"), let address = UInt64(place[plus...].dropFirst(3), radix: 16) else { return place }
        let file = String(place[..<plus])
        let name = file.split(separator: "/").last.map(String.init) ?? file
        let short = "\(name)\(place[plus...])"
        guard
            let listing = try? output(
                of: "/usr/bin/objdump",
                ["-d", "--no-show-raw-insn", "-C", "--start-address=\(address)", "--stop-address=\(address + 16)", file])
        else { return short }
        let lines = listing.split(separator: "\n")
        // "00000000000012f0 <symbol+0x10>:" and then "    12f0:	mov ..."
        guard let index = lines.firstIndex(where: { $0.hasSuffix(">:") }), index + 1 < lines.count else { return short }
        let symbol = lines[index].drop { $0 != "<" }.dropFirst().dropLast(2)
        let instruction = lines[index + 1].split(separator: "\t").dropFirst().joined(separator: " ")
        let end = symbol.lastIndex(of: "+") ?? symbol.endIndex
        return
            "\(short) <\(demangled(String(symbol[..<end])))\(symbol[end...])> \(instruction.split(separator: " ").joined(separator: " "))"
    }

    private static func output(of program: FilePath, _ arguments: [String]) throws -> String {
        let pipe = try Pipe()
        let none = try FileDescriptor.open(FilePath("/dev/null"), .readWrite, options: .closeOnExec)
        defer { try? none.close() }
        var child = try ChildProcess(
            starting: program, arguments: arguments, descriptors: [(none, 0), (pipe.writing.descriptor, 1), (none, 2)])
        // Only the child's end is to hold the pipe open.
        replaceByNullDevice(pipe.writing.descriptor)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe pipe.reading.descriptor.read(into: $0) }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        _ = try child.wait()
        return String(decoding: bytes, as: UTF8.self)
    }
}
