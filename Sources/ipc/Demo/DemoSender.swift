import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// What both sides of a demonstration are told by the parent.
struct DemoSideOptions: ParsableArguments {
    /// The number by which the end of the pipe or socket is inherited.
    static let channel = FileDescriptor(rawValue: 4)
    /// No step takes so long on any machine.
    static let patience = Duration.seconds(60)
    /// A queue of this many bytes stays in the processor's caches.
    static let capacity = 2 << 20

    @Option var medium: String
    @Option var queue: String
    @Option var directory: String
    @Option var fileSize: Int
    @Option var streamSize: Int
    @Option var parent: Int32

    var plan: DemoPlan { DemoPlan(fileSize: fileSize, atLeast: streamSize) }

    /// The arguments that make these options.
    static func arguments(_ medium: DemoMedium, _ queue: ObjectName, _ directory: ObjectDirectory, _ plan: DemoPlan) -> [String] {
        [
            "--medium", medium.rawValue, "--queue", "\(queue)", "--directory", directory.path.string, "--file-size", "\(plan.fileSize)",
            "--stream-size", "\(plan.streamSize)", "--parent", "\(ProcessIdentity.current().pid)",
        ]
    }

    /// Ends this process with its parent, and by Ctrl-C without a line.
    func begin() throws -> (medium: DemoMedium, control: DemoControl) {
        guard let medium = DemoMedium(rawValue: medium), fileSize > 0, endWithParent(parent, by: Signal.kill) else {
            throw CommandFailure("this is started by 'ipc demo', not by hand", status: 64)
        }
        return (medium, try DemoControl.inherited())
    }

    var queueOptions: QueueOptions { QueueOptions(directory: ObjectDirectory(at: FilePath(directory))) }
    var deadline: Deadline { .after(Self.patience) }
}

/// The sending process of `ipc demo`.
struct DemoSender: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-sender", abstract: "One side of a demonstration; started by `ipc demo`.", shouldDisplay: false)

    @OptionGroup var side: DemoSideOptions
    @Option var file: String
    /// The message before which it stops, and waits to be killed.
    @Option var stopBefore: Int?

    func run() throws {
        let (medium, control) = try side.begin()
        let content = try DemoContent(FilePath(file))
        switch medium {
        case .queue: try sendByQueue(content, control)
        case .pipe, .socket: try sendByDescriptor(content, control)
        }
    }

    private func sendByQueue(_ content: borrowing DemoContent, _ control: DemoControl) throws {
        let plan = side.plan
        var sender = try ByteSender(to: try ObjectName(side.queue), capacity: DemoSideOptions.capacity, options: side.queueOptions)
        let first = Int(clamping: sender.nextSequence)
        guard first <= plan.messages else { throw CommandFailure("the queue says that \(first) messages were sent") }
        // What the one before has sent is read again for the checksum of the whole only.
        var hash = StreamHash()
        for message in 0..<first { unsafe content.forEachPiece(of: plan.range(ofMessage: message)) { unsafe hash.update($0) } }
        control[.firstSequence] = UInt64(first)
        guard sender.waitForReceiver(until: side.deadline) else { throw CommandFailure("no receiver came") }
        if control[.start] == 0 { control.stamp(.start) }
        let processorTime = processorTimeNanoseconds()
        for message in first..<(stopBefore ?? plan.messages) {
            let range = plan.range(ofMessage: message)
            unsafe content.forEachPiece(of: range) { unsafe hash.update($0) }
            let header = DemoHeader(sequence: UInt64(message), digest: hash.digest)
            _ = try sender.publish(byteCount: DemoHeader.size + range.count, until: side.deadline) { span in
                unsafe span.withUnsafeMutableBytes { bytes in
                    unsafe header.write(to: bytes)
                    var place = unsafe bytes.baseAddress! + DemoHeader.size
                    unsafe content.forEachPiece(of: range) { piece in
                        unsafe place.copyMemory(from: piece.baseAddress!, byteCount: piece.count)
                        unsafe place += piece.count
                    }
                }
            }
        }
        if stopBefore != nil {
            sleepThread(for: DemoSideOptions.patience)
            throw CommandFailure("the sender was to be killed and was not")
        }
        try sender.waitUntilReceived(until: side.deadline)
        control[.senderTime] = processorTimeNanoseconds() - processorTime
        control[.sentDigest] = hash.digest
    }

    private func sendByDescriptor(_ content: borrowing DemoContent, _ control: DemoControl) throws {
        let plan = side.plan
        guard control.wait(for: .ready, atMost: DemoSideOptions.patience) else { throw CommandFailure("no receiver came") }
        control.stamp(.start)
        let processorTime = processorTimeNanoseconds()
        var hash = StreamHash()
        for message in 0..<plan.messages {
            let range = plan.range(ofMessage: message)
            unsafe content.forEachPiece(of: range) { unsafe hash.update($0) }
            unsafe try withUnsafeTemporaryAllocation(byteCount: DemoHeader.size, alignment: 8) { bytes in
                unsafe DemoHeader(sequence: UInt64(message), digest: hash.digest).write(to: bytes)
                _ = try unsafe DemoSideOptions.channel.writeAll(UnsafeRawBufferPointer(bytes))
            }
            unsafe try content.forEachPiece(of: range) { _ = try unsafe DemoSideOptions.channel.writeAll($0) }
        }
        try DemoSideOptions.channel.close()
        control[.senderTime] = processorTimeNanoseconds() - processorTime
        control[.sentDigest] = hash.digest
    }
}
