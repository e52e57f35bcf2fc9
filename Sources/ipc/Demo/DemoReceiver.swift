import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// The receiving process of `ipc demo`.
struct DemoReceiver: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-receiver", abstract: "One side of a demonstration; started by `ipc demo`.", shouldDisplay: false)

    @OptionGroup var side: DemoSideOptions

    func run() throws {
        let (medium, control) = try side.begin()
        var check = DemoCheck(side.plan)
        switch medium {
        case .queue: try receiveByQueue(&check, control)
        case .pipe, .socket: try receiveByDescriptor(&check, control)
        }
        guard check.isComplete else {
            throw CommandFailure("the stream ended after \(check.messages) of \(side.plan.messages) messages")
        }
    }

    /// Reads every message where it stands. A sender's death is noted, and the next one waited for.
    private func receiveByQueue(_ check: inout DemoCheck, _ control: DemoControl) throws {
        var receiver = try ByteReceiver(from: try ObjectName(side.queue), capacity: DemoSideOptions.capacity, options: side.queueOptions)
        let processorTime = processorTimeNanoseconds()
        control[.ready] = 1
        while true {
            do {
                guard let result = try next(&receiver, &check) else { return }
                try result.get()
                note(check, control, processorTime)
            } catch ReceiveError.peerDied(let notice) {
                control.stamp(.told)
                control[.noticed] = notice.noticed.nanoseconds
                control[.sequenceAtDeath] = receiver.nextSequence
                control[.deadPID] = UInt64(notice.pid)
                guard receiver.waitForSender(until: side.deadline) else { throw CommandFailure("no second sender came") }
            }
        }
    }

    /// Checks the next message; nil when the sender has closed.
    private func next(_ receiver: inout ByteReceiver, _ check: inout DemoCheck) throws(ReceiveError) -> Result<Void, CommandFailure>? {
        try receiver.receive(until: side.deadline) { (span) throws(CommandFailure) in
            try unsafe span.withUnsafeBytes { (bytes) throws(CommandFailure) in try unsafe check.check(bytes) }
        }
    }

    private func receiveByDescriptor(_ check: inout DemoCheck, _ control: DemoControl) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: DemoHeader.size + side.plan.chunk, alignment: 64)
        defer { unsafe buffer.deallocate() }
        // Its pages are there before the time runs, as those of the queue are.
        unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
        let processorTime = processorTimeNanoseconds()
        control[.ready] = 1
        while true {
            // The size of the message follows from its number; when all have come, a byte more would be one too many.
            let size = check.isComplete ? 1 : DemoHeader.size + side.plan.range(ofMessage: check.messages).count
            let message = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
            guard try unsafe DemoSideOptions.channel.readFully(into: message) else { return }
            try unsafe check.check(UnsafeRawBufferPointer(message))
            note(check, control, processorTime)
        }
    }

    /// Tells the parent how far it is.
    private func note(_ check: DemoCheck, _ control: DemoControl, _ processorTime: UInt64) {
        control[.receivedMessages] = UInt64(check.messages)
        control[.receivedBytes] = UInt64(check.bytes)
        guard check.isComplete else { return }
        control.stamp(.end)
        control[.receiverTime] = processorTimeNanoseconds() - processorTime
        control[.receivedDigest] = check.digest
    }
}
