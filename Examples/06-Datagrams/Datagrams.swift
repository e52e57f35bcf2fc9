import InterprocessSystem
import SystemPackage

/// A service of one message each way: who asks has an address of its own, to which the answer goes.
///
///     swift run Datagrams serve        # answers until it is ended
///     swift run Datagrams ask 6 7      # 42
@main
struct Datagrams {
    static let service = UnixAddress.abstract("interprocess-example-product")

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
        case ("serve", 1): try serve()
        case ("ask", 3): try ask(arguments.dropFirst().joined(separator: " "))
        default: print("usage: Datagrams serve | ask NUMBER NUMBER")
        }
    }

    static func serve() throws {
        let socket = try UnixDatagram.create(at: service)
        var buffer = [UInt8](repeating: 0, count: 1024)
        while true {
            var span = buffer.mutableSpan
            let (count, sender) = try socket.receiveWithSender(into: &span)
            let factors = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ").compactMap { Int($0) }
            let (product, overflows) = factors.reduce((1, false)) { result, factor in
                let (next, overflows) = result.0.multipliedReportingOverflow(by: factor)
                return (next, result.1 || overflows)
            }
            let answer = factors.count == 2 && !overflows ? "\(product)" : "two numbers are needed, whose product fits into 64 bits"
            // It may have ended, or never have had an address: that is its matter, and the next one is served.
            if let sender { _ = try? socket.trySend(Array(answer.utf8).span, to: sender) }
        }
    }

    static func ask(_ question: String) throws {
        let own = UnixAddress.abstract("interprocess-example-asks-\(ProcessIdentity.current().pid)")
        let socket = try UnixDatagram.create(at: own)
        try socket.send(Array(question.utf8).span, to: service)
        var buffer = [UInt8](repeating: 0, count: 1024)
        var span = buffer.mutableSpan
        let count = try socket.receive(into: &span, until: .after(.seconds(10)))
        print(String(decoding: buffer[..<count], as: UTF8.self))
    }
}
