import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// `ipc send`.
struct Send: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send standard input through a queue of bytes.",
        discussion: """
            Reads standard input straight into shared memory, up to 1 MiB at a time, and ends when the receiver has taken everything: so \
            an exit status of 0 means received. Either side may start first; the queue is made if there is none. While it is full, \
            nothing is read. With --no-wait it ends when everything is in the queue, where it stays for a receiver to come. Two such \
            runs, one after the other, need two runs of 'ipc receive': each of these ends with the end of one sender.

            When it cannot finish, the receiver is told that the sender died, never that this was the end.

            \(TransferStatus.help)
            """)

    @OptionGroup var options: TransferOptions
    @Flag(inversion: .prefixedNo, exclusivity: .exclusive, help: "Wait until the receiver has taken everything.")
    var wait = true

    func run() throws {
        if unsafe StandardStreams.isInputClosed { throw CommandFailure("standard input is closed; there is nothing to send") }
        var sending = try Sending(
            to: try ObjectName(options.name), capacity: options.capacity, options: options.queue, timeout: options.timeout)
        try sending.all(of: .standardInput)
        if wait { try sending.waitUntilReceived() }
    }
}

/// One run of `ipc send`.
private struct Sending: ~Copyable {
    private var sender: ByteSender
    private let timeout: Duration?
    private let chunk: Int
    private var sent = 0
    private let ending: SendingEnd
    private let watch: ReceiverWatch

    init(to name: ObjectName, capacity: Int?, options: QueueOptions, timeout: Duration?) throws {
        let cleanUp = EndOfSegment()
        Interruption.prepare { cleanUp.run() }
        let sender = try ByteSender(to: name, capacity: capacity, options: options)
        let waiting = try QueueInspection.validate(sender.segment).waiting
        cleanUp.set(sender.segment, keepsMessages: waiting > 0)
        self.timeout = timeout
        ending = SendingEnd(segment: sender.segment, isForOthersToo: waiting > 0)
        watch = ReceiverWatch(ending, sender.receiverEnd, timeout: timeout)
        // Two of them fit, so that one is read while the other is written.
        chunk = max(1, min(1 << 20, sender.maximumMessageSize / 2))
        self.sender = sender
    }

    mutating func all(of input: FileDescriptor) throws {
        while try next(of: input) {}
        // A queue without a message would not be there for a receiver that comes later.
        if sent == 0 { try publishNothing() }
    }

    /// Sends what one read brings; false at the end.
    private mutating func next(of input: FileDescriptor) throws -> Bool {
        while true {
            let received = ending.receivedMessages
            let (watch, sent) = (watch, sent)
            do throws(SendError<Void>) {
                let result = try sender.publish(upTo: chunk, until: deadline) { (span: inout OutputRawSpan) throws(Errno) -> Int in
                    watch.begin(sent: sent)
                    defer { watch.end() }
                    return try span.appendOneRead(from: input)
                }
                switch result {
                case .success(let count):
                    self.sent += count
                    return count > 0
                case .failure(let error): fail(CommandFailure("cannot read standard input: \(error); \(ending.progress(sent: sent))"))
                }
            } catch {
                // Something was received, but not enough: that is no standstill.
                if error.reason == .deadline && ending.receivedMessages != received { continue }
                fail(error.reason)
            }
        }
    }

    private mutating func publishNothing() throws {
        do throws(SendError<Void>) {
            try sender.send(RawSpan(), until: deadline)
        } catch {
            fail(error.reason)
        }
    }

    mutating func waitUntilReceived() throws {
        while true {
            let received = ending.receivedMessages
            do throws(SendError<Void>) {
                return try sender.waitUntilReceived(until: deadline)
            } catch {
                if error.reason == .deadline && ending.receivedMessages != received { continue }
                fail(error.reason)
            }
        }
    }

    private var deadline: Deadline { timeout.map { .after($0) } ?? .never }

    private func fail(_ reason: SendFailure) -> Never { fail(reason.failure(ending.progress(sent: sent), timeout: timeout)) }
    private func fail(_ failure: CommandFailure) -> Never { ending.fail(failure) }
}

extension OutputRawSpan {
    /// Appends what one `read(2)` brings, at most what there is room for; returns how many bytes, 0 at the end of the file.
    fileprivate mutating func appendOneRead(from file: FileDescriptor) throws(Errno) -> Int {
        try unsafe withUnsafeMutableBytes { (buffer, count) throws(Errno) in
            let read = try unsafe file.readWaiting(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
            count += read
            return read
        }
    }
}
