import Interprocess
import InterprocessSystem
import Synchronization
import SystemPackage

/// What one transfer brought.
struct DemoTransfer: Sendable {
    let medium: DemoMedium
    let seconds: Double
    /// Processor time of both sides.
    let processorSeconds: Double
    let sentDigest: UInt64, receivedDigest: UInt64
    let receivedBytes: Int, receivedMessages: Int
    /// Whether the queue's name was gone with its last peer.
    let leftNothing: Bool
}

/// What became of the transfer whose sender was killed.
struct DemoDeath: Sendable {
    let transfer: DemoTransfer
    let receiverPID: Int32, firstPID: Int32, secondPID: Int32
    /// How the first sender ended, by the kernel's word.
    let firstEnding: ChildProcess.Ending
    let bytesAtKill: Int
    /// From the kill to the first survivor's notice, and to the receiver's error, after it had received everything; in nanoseconds.
    let noticedAfter: UInt64, toldAfter: UInt64
    let noticePID: Int32
    let sequenceAtDeath: UInt64, firstSequenceOfSecond: UInt64
}

/// The processes of a demonstration, seen from the one that starts them.
struct DemoRun {
    let file: FilePath
    let plan: DemoPlan
    let directory: ObjectDirectory
    /// The queue in use, for the clean-up when this process is interrupted.
    let queueInUse: DemoQueueName

    /// Streams through shared memory, kills the sender in the middle, and lets a second one carry on.
    func withDeath() throws -> DemoDeath {
        let queue = queueInUse.new()
        defer { queueInUse.clear() }
        let control = try DemoControl()
        var receiver = try start("demo-receiver", .queue, queue, control)
        // Far enough that the middle comes first, whatever else the machine does.
        let stop = max(plan.messages / 2 + 1, plan.messages * 3 / 4)
        var first = try start("demo-sender", .queue, queue, control, ["--stop-before", "\(stop)"])
        var bar = ProgressBar("shared memory", of: plan.streamSize)
        try watch(control, &bar, while: { control[.receivedBytes] < UInt64(plan.streamSize / 2) }, &receiver, &first)
        let bytesAtKill = Int(control[.receivedBytes])
        control.stamp(.killed)
        first.send(signal: Signal.kill)
        let firstEnding = try first.wait()
        guard control.wait(for: .deadPID, atMost: .seconds(10)) else {
            receiver.send(signal: Signal.kill)
            throw CommandFailure("the receiver was not told of the sender's death within 10 s")
        }
        var second = try start("demo-sender", .queue, queue, control)
        try watch(control, &bar, while: { control[.end] == 0 }, &receiver, &second)
        try expectSuccess(&second, "second sender")
        try expectSuccess(&receiver, "receiver")
        let killed = control[.killed]
        return DemoDeath(
            transfer: result(.queue, control), receiverPID: receiver.pid, firstPID: first.pid, secondPID: second.pid,
            firstEnding: firstEnding, bytesAtKill: bytesAtKill,
            noticedAfter: control[.noticed] &- killed, toldAfter: control[.told] &- killed,
            noticePID: Int32(truncatingIfNeeded: control[.deadPID]), sequenceAtDeath: control[.sequenceAtDeath],
            firstSequenceOfSecond: control[.firstSequence])
    }

    /// Streams once by `medium`.
    func once(by medium: DemoMedium) throws -> DemoTransfer {
        let queue = queueInUse.new()
        defer { queueInUse.clear() }
        let control = try DemoControl()
        var receiver: ChildProcess
        var sender: ChildProcess
        switch medium {
        case .queue:
            receiver = try start("demo-receiver", medium, queue, control)
            sender = try start("demo-sender", medium, queue, control)
        case .pipe:
            let pipe = try Pipe()
            // As large as it may be without privileges; it is fastest so.
            _ = try? pipe.setCapacity(1 << 20)
            receiver = try start("demo-receiver", medium, queue, control, channel: pipe.reading.descriptor)
            sender = try start("demo-sender", medium, queue, control, channel: pipe.writing.descriptor)
        case .socket:
            let pair = try UnixStream.pair()
            _ = try? pair.first.setBufferSize(1 << 20)
            _ = try? pair.second.setBufferSize(1 << 20)
            receiver = try start("demo-receiver", medium, queue, control, channel: pair.first.descriptor)
            sender = try start("demo-sender", medium, queue, control, channel: pair.second.descriptor)
        }
        var bar = ProgressBar(medium.title, of: plan.streamSize)
        try watch(control, &bar, while: { control[.end] == 0 }, &receiver, &sender)
        try expectSuccess(&sender, "sender")
        try expectSuccess(&receiver, "receiver")
        return result(medium, control)
    }

    /// The hash of the stream as this process reads it from the file.
    func expectedDigest() throws -> UInt64 {
        let content = try DemoContent(file)
        var hash = StreamHash()
        unsafe content.forEachPiece(of: 0..<plan.streamSize) { unsafe hash.update($0) }
        return hash.digest
    }

    private func start(
        _ command: String, _ medium: DemoMedium, _ queue: ObjectName, _ control: DemoControl, _ more: [String] = [],
        channel: FileDescriptor? = nil
    ) throws -> ChildProcess {
        var arguments = [command] + DemoSideOptions.arguments(medium, queue, directory, plan)
        if command == "demo-sender" { arguments += ["--file", file.string] + more }
        var descriptors = [(control.file, DemoControl.descriptor)]
        if let channel { descriptors.append((channel, DemoSideOptions.channel.rawValue)) }
        return try ChildProcess(starting: ChildProcess.currentProgram, arguments: arguments, descriptors: descriptors)
    }

    /// Shows how far the receiver is until `isRunning` is false. A side that ends with a failure meanwhile ends everything.
    private func watch(
        _ control: DemoControl, _ bar: inout ProgressBar, while isRunning: () -> Bool, _ receiver: inout ChildProcess,
        _ sender: inout ChildProcess
    ) throws {
        while isRunning() {
            bar.update(Int(control[.receivedBytes]))
            let receiverEnding = try receiver.poll(), senderEnding = try sender.poll()
            if let ending = receiverEnding, ending != .exited(0) {
                sender.send(signal: Signal.kill)
                throw CommandFailure("the receiver \(describe(ending))")
            }
            if let ending = senderEnding, ending != .exited(0) {
                receiver.send(signal: Signal.kill)
                throw CommandFailure("the sender \(describe(ending))")
            }
            if receiverEnding != nil && isRunning() { throw CommandFailure("the receiver ended before the stream did") }
            sleepThread(for: .microseconds(200))
        }
    }

    private func expectSuccess(_ child: inout ChildProcess, _ name: String) throws {
        let ending = try child.wait()
        if ending != .exited(0) { throw CommandFailure("the \(name) \(describe(ending))") }
    }

    private func result(_ medium: DemoMedium, _ control: DemoControl) -> DemoTransfer {
        DemoTransfer(
            medium: medium, seconds: Double(control[.end] &- control[.start]) / 1e9,
            processorSeconds: Double(control[.senderTime] &+ control[.receiverTime]) / 1e9, sentDigest: control[.sentDigest],
            receivedDigest: control[.receivedDigest], receivedBytes: Int(control[.receivedBytes]),
            receivedMessages: Int(control[.receivedMessages]), leftNothing: queueInUse.isGone)
    }
}

private func describe(_ ending: ChildProcess.Ending) -> String {
    switch ending {
    case .exited(let status): "ended with status \(status)"
    case .signalled(let signal): "was ended by signal \(signal)"
    }
}

/// The name of the queue that is in use now, so that it can be taken away at any moment.
final class DemoQueueName: Sendable {
    private let directory: ObjectDirectory
    private let name = Mutex<ObjectName?>(nil)

    init(in directory: ObjectDirectory) { self.directory = directory }

    /// Makes a queue and lets it go: what stands against it is said once, and by this process.
    func check() throws {
        _ = try ByteSender(
            to: new(), capacity: DemoSideOptions.capacity, options: QueueOptions(directory: directory, existence: .mustBeNew))
        clear()
    }

    func new() -> ObjectName {
        name.withLock { name in
            let new = ObjectName.unique()
            name = new
            return new
        }
    }

    /// Whether the queue has gone with its last peer, as it should.
    var isGone: Bool { name.withLock { $0.map { (try? directory.status(of: $0)) == nil } ?? true } }

    func clear() {
        name.withLock { name in
            if let old = name { _ = try? directory.remove(old) }
            name = nil
        }
    }
}
