import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage

/// Commands that send or receive a number of messages.
let streamCommands: [String: Command] = [
    "stream-send": streamSend,
    "stream-receive": streamReceive,
    "receive-passed": { _ in try receivePassed() },
    "queue-echo": queueEcho,
    "send-and-die": sendAndDie,
]

/// stream-send DIRECTORY KIND COUNT: sends the numbers below COUNT to "q" and waits until they have been received.
@Sendable private func streamSend(_ arguments: [String]) throws {
    let options = QueueOptions(directory: ObjectDirectory(at: FilePath(arguments[0])))
    let count = UInt64(try arguments.number(2))
    if arguments[1] == "values" {
        var sender = try Sender<UInt64>(to: "q", options: options)
        for number in 0..<count { try sender.send(number) }
        try sender.waitUntilReceived()
    } else {
        var sender = try ByteSender(to: "q", options: options)
        for number in 0..<count {
            _ = try sender.publish(byteCount: 8 + Int(number % 100)) { $0.storeBytes(of: number, as: UInt64.self) }
        }
        try sender.waitUntilReceived()
    }
}

/// stream-receive DIRECTORY KIND COUNT: receives them, and says how many came in order.
@Sendable private func streamReceive(_ arguments: [String]) throws {
    let options = QueueOptions(directory: ObjectDirectory(at: FilePath(arguments[0])))
    let count = UInt64(try arguments.number(2))
    var inOrder: UInt64 = 0
    if arguments[1] == "values" {
        var receiver = try Receiver<UInt64>(from: "q", options: options)
        for number in 0..<count where try receiver.receive() == number { inOrder += 1 }
    } else {
        var receiver = try ByteReceiver(from: "q", options: options)
        for number in 0..<count {
            let found = try receiver.receive { unsafe $0.unsafeLoad(as: UInt64.self) }
            if found?.get() == number { inOrder += 1 }
        }
    }
    say("\(inOrder)")
}

/// receive-passed: gets a queue's descriptor over the socket 3, receives from it, and says what came and how it ended.
private func receivePassed() throws {
    let number = test_receive_descriptor(3)
    guard number >= 0 else { throw Errno(rawValue: -number) }
    let passed = OwnedDescriptor(owning: FileDescriptor(rawValue: number))
    var receiver = try Receiver<UInt64>(descriptor: passed.descriptor)
    say("joined \(receiver.segment.peer)")
    while let message = try receiver.receive() { say("\(message)") }
    say("closed")
    try forEachLine { _ in }
}

/// queue-echo DIRECTORY: sends back on "back" each number that comes from "there".
@Sendable private func queueEcho(_ arguments: [String]) throws {
    let options = QueueOptions(directory: ObjectDirectory(at: FilePath(arguments[0])))
    var receiver = try Receiver<UInt64>(from: "there", options: options)
    var sender = try Sender<UInt64>(to: "back", options: options)
    say("ready")
    while let number = try receiver.receive() { try sender.send(number) }
}

/// send-and-die DIRECTORY NAME: sends one number and kills itself.
@Sendable private func sendAndDie(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    var sender = try Sender<UInt64>(to: name, options: QueueOptions(directory: directory))
    try sender.send(0)
    kill(getpid(), SIGKILL)
}
