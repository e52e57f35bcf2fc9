import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage
import TestSupport

/// Commands of processes that fork while they have something open.
let forkCommands: [String: Command] = ["fork-holder": forkHolder]

/// fork-holder DIRECTORY: opens the segment "s", and the queues "there" to send and "back" to receive; then forks. The child says what it finds of them, opens
/// the segment anew when it is told to, and outlives this process.
///
/// Lines: "send" sends a message, "open" lets the child open the segment, "kill-child" kills the child, "die" ends this process by SIGKILL.
@Sendable private func forkHolder(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let options = QueueOptions(directory: directory)
    let segment = try Segment.openOrCreate("s", size: 8, in: directory)
    var sender = try Sender<UInt64>(to: "there", options: options)
    var receiver = try Receiver<UInt64>(from: "back", options: options)
    try sender.send(1)
    // The receiver is in the middle of a batch when the child is forked.
    var own = try Sender<UInt64>(to: "back", options: options)
    try own.send(contentsOf: [1, 2, 3].span)
    guard try receiver.receive() == 1 else { throw BadArguments() }
    say("joined \(segment.peer)")
    let orders = try Pipe()
    let child = try forkChild(outlivingParent: true) {
        sayWhatIsLeft(segment, &sender, &receiver)
        try obey(orders.reading.descriptor, directory)
    }
    var number: UInt64 = 2
    try forEachLine { line in
        switch line {
        case "send":
            try sender.send(number)
            number += 1
            say("sent")
        case "open": _ = try orders.writing.descriptor.writeAll([1])
        case "kill-child":
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
            say("killed \(child)")
        case "die": kill(getpid(), SIGKILL)
        default: throw BadArguments()
        }
    }
    kill(child, SIGKILL)
}

/// In the child: what its parent had open says that it is detached, and does nothing else.
private func sayWhatIsLeft(_ segment: Segment, _ sender: inout Sender<UInt64>, _ receiver: inout Receiver<UInt64>) {
    say("bytes \(unsafe segment.withBytes { unsafe $0.load(as: UInt64.self) }), peers \(segment.peers.count), deaths \(segment.deathCount)")
    segment.removeNameIfLast()
    say("alone \(segment.removeNameIfAlone())")
    do throws(SendError<UInt64>) { try sender.send(99, until: .after(watchdog)) } catch { say("send \(error.reason)") }
    do throws(SendError<UInt64>) { try sender.trySend(99) } catch { say("trySend \(error.reason)") }
    do throws(SendError<Void>) { try sender.waitUntilReceived(until: .after(watchdog)) } catch {
        say("waitUntilReceived \(error.reason)")
    }
    say("waitForReceiver \(sender.waitForReceiver())")
    do throws(ReceiveError) { _ = try receiver.receive() } catch { say("receive \(error == .detached)") }
    do throws(ReceiveError) { _ = try receiver.tryReceive() } catch { say("tryReceive \(error == .detached)") }
    say("waitForSender \(receiver.waitForSender())")
}

/// In the child: opens the segment when its parent says so, and stays until the test ends, which closes its standard input.
private func obey(_ orders: FileDescriptor, _ directory: ObjectDirectory) throws {
    var own: Segment?
    while true {
        var items = [pollfd(fd: orders.rawValue, events: Int16(POLLIN), revents: 0), pollfd(fd: 0, events: 0, revents: 0)]
        unsafe poll(&items, 2, -1)
        if items[1].revents != 0 { return }
        var byte: UInt8 = 0
        guard try unsafe withUnsafeMutableBytes(of: &byte, { try unsafe orders.read(into: $0) }) == 1 else { continue }
        own = try Segment.open("s", in: directory)
        say("child joined \(own?.peer.description ?? "")")
    }
}
