import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage

/// Short lives at a queue. Arguments: what, directory, and a count.
///
///     send     sends `count` numbered messages, says that it is ready, and stays
///     work     sends `count` messages and stays, without a record
///     receive  receives `count` messages, says that it is ready, and stays
///     leave    sends `count` messages and closes
///     die      sends `count` messages and kills itself
enum QueueHold {
    static func run(_ arguments: [String]) throws {
        let directory = ObjectDirectory(at: FilePath(arguments[1]))
        let options = QueueOptions(directory: directory)
        guard let count = UInt64(arguments[2]) else { preconditionFailure("no count in \(arguments)") }
        switch arguments[0] {
        case "receive":
            var receiver = try Receiver<Numbered>(from: "q", options: options)
            for _ in 0..<count { _ = try receiver.receive() }
            try stay(directory)
        case "work":
            var sender = try Sender<Numbered>(to: "q", options: options)
            for _ in 0..<count { try sender.trySend(Numbered(sender.nextSequence)) }
            while true { sleepThread(for: .seconds(1)) }
        default:
            var sender = try Sender<Numbered>(to: "q", options: options)
            for _ in 0..<count { try sender.send(Numbered(sender.nextSequence)) }
            if arguments[0] == "leave" { return }
            if arguments[0] == "die" { kill(getpid(), SIGKILL) }
            try stay(directory)
        }
    }

    private static func stay(_ directory: ObjectDirectory) throws {
        try QueueRecord.open(in: directory)[.ready] = 1
        while true { sleepThread(for: .seconds(1)) }
    }
}
