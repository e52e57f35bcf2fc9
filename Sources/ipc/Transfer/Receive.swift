import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// `ipc receive`.
struct Receive: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write what comes through a queue of bytes to standard output.",
        discussion: """
            Writes each message from where it stands in shared memory, and ends when the sender has closed. Either side may start first; \
            the queue is made if there is none. A message that could not be written whole counts as not received and stays for the next receiver, which writes all of it.

            \(TransferStatus.help)
            """)

    @OptionGroup var options: TransferOptions

    func run() throws {
        if unsafe StandardStreams.isOutputClosed { throw CommandFailure("standard output is closed; there is nowhere to write to") }
        let cleanUp = EndOfSegment()
        Interruption.prepare { cleanUp.run() }
        var receiver = try ByteReceiver(
            from: try ObjectName(options.name), capacity: options.capacity, options: options.queue)
        cleanUp.set(receiver.segment, keepsMessages: true)
        var received = 0
        while let result = try next(&receiver, after: received) {
            do {
                received += try result.get()
            } catch {
                throw Self.failure(error, after: received)
            }
        }
    }

    /// Writes the next message; nil at the end.
    private func next(_ receiver: inout ByteReceiver, after received: Int) throws(CommandFailure) -> Result<Int, Errno>? {
        do throws(ReceiveError) {
            return try receiver.receive(until: options.timeout.map { .after($0) } ?? .never) { bytes throws(Errno) in
                try bytes.writeAll(to: .standardOutput)
                return bytes.byteCount
            }
        } catch {
            throw error.failure(after: received, timeout: options.timeout)
        }
    }

    private static func failure(_ error: Errno, after received: Int) -> CommandFailure {
        CommandFailure(
            "\(Output.describe(error)); \(received == 0 ? "no whole message" : "whole messages of \(byteCount(received))") had been written, and the one that was begun stays for the next receiver",
            status: TransferStatus.failed)
    }
}
