import InterprocessSystem
import SystemPackage

/// One program opens files for another, which may not open them itself: it is given the open descriptor.
///
///     swift run PassDescriptor open /etc/hostname      # waits for a reader
///     swift run PassDescriptor read                    # in another terminal: prints the file
@main
struct PassDescriptor {
    static let address = UnixAddress.abstract("interprocess-example-descriptors")

    static func main() {
        do {
            try run()
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch (arguments.first, arguments.count) {
        case ("open", 2): try open(FilePath(arguments.last!))
        case ("read", 1): try read()
        default: print("usage: PassDescriptor open FILE | read")
        }
    }

    static func open(_ path: FilePath) throws {
        let file = OwnedDescriptor(owning: try FileDescriptor.open(path, .readOnly, options: .closeOnExec))
        let listener = try UnixListener<UnixStream>.create(at: address)
        let reader = try listener.accept(until: .after(.seconds(60)))
        let who = try reader.peerCredentials()
        // A descriptor travels with at least one byte.
        _ = try reader.send([0].span, with: [file.descriptor])
        print("process \(who.pid) of user \(who.userID) was given \(path)")
    }

    static func read() throws {
        let opener = try UnixStream.connect(to: address)
        var byte: [UInt8] = [0]
        var span = byte.mutableSpan
        var came = ReceivedDescriptors()
        _ = try opener.receive(into: &span, with: &came, maximum: 1)
        // This process owns it now, and closes it at the end; others that might have come were closed already.
        guard let file = came.takeFirst() else { return print("no descriptor came") }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = try unsafe buffer.withUnsafeMutableBytes { unsafe try file.descriptor.read(into: $0) }
            if count == 0 { break }
            try FileDescriptor.standardOutput.writeAll(buffer[..<count])
        }
    }
}
