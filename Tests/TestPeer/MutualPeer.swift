import Interprocess

/// await-other DIRECTORY TO FROM: sends to the one queue and receives from the other, where nothing ever comes: says "ready", and then whose death it was told of.
@Sendable func awaitOther(_ arguments: [String]) throws {
    let (directory, to) = try arguments.place()
    let options = QueueOptions(directory: directory)
    let sender = try Sender<UInt64>(to: to, capacity: 16, options: options)
    var receiver = try Receiver<UInt64>(from: try ObjectName(arguments[2]), capacity: 16, options: options)
    _ = receiver.waitForSender()
    say("ready \(receiver.segment.peer) \(sender.segment.peer)")
    do {
        _ = try receiver.receive()
        say("no death")
    } catch ReceiveError.peerDied(let notice) {
        say("death \(notice.peer)")
    }
    // Stays until it is killed as well, or the test ends.
    _ = readLine()
    sender.close()
}
