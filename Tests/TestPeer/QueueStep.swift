import CTestSupport
import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage

/// Does one operation of a queue under the processor's trap flag, and kills itself after an exact instruction of it. The same operation goes before, untouched, so that everything is
/// bound and made that is so on first use.
///
/// Arguments: operation, directory, instruction, change, instructions after the change, whether calls are whole. Negative numbers: not.
enum QueueStep {
    static func run(_ arguments: [String]) throws {
        let directory = ObjectDirectory(at: FilePath(arguments[1]))
        let numbers = arguments[2...].map { Int($0) ?? -1 }
        let record = try QueueRecord.open(in: directory)
        let options = QueueOptions(directory: directory)
        try watch("\(arguments[1])/q")

        func step(_ body: () throws -> Void) rethrows {
            ct_step_begin(numbers[0], numbers[1], numbers[2], CInt(numbers[3]))
            try body()
            ct_step_end()
            record[.instructions] = UInt64(ct_step_instructions())
            record[.changes] = UInt64(ct_step_changes())
            kill(getpid(), SIGKILL)
        }

        switch arguments[0] {
        case "send", "trySend", "sendBatch", "publishBatch", "sendWaiting", "sendDropping":
            try stepTypedSending(arguments[0], options, record, step)
        case "sendBytes", "publishBytes", "reserveBytes": try stepByteSending(arguments[0], options, record, step)
        case "receive", "tryReceive", "receiveBatch", "receiveWaiting", "receiveDropping":
            try stepTypedReceiving(arguments[0], options, record, step)
        case "receiveBytes":
            var receiver = try ByteReceiver(from: "q", options: options)
            try received(record, receiver.nextSequence, 1) { _ = try receiver.receive { $0.byteCount } }
            try step { try received(record, receiver.nextSequence, 1) { _ = try receiver.receive { $0.byteCount } } }
        case "joinSender":
            try Sender<Numbered>(to: "q", options: options).close()
            let kept = Kept()
            try step { kept.sender = try Sender<Numbered>(to: "q", options: options) }
        case "joinReceiver":
            try Receiver<Numbered>(from: "q", options: options).close()
            let kept = Kept()
            try step { kept.receiver = try Receiver<Numbered>(from: "q", options: options) }
        case "closeSender":
            try Sender<Numbered>(to: "q", options: options).close()
            let kept = Kept()
            kept.sender = try Sender<Numbered>(to: "q", options: options)
            step { kept.sender = nil }
        default:
            try Receiver<Numbered>(from: "q", options: options).close()
            let kept = Kept()
            kept.receiver = try Receiver<Numbered>(from: "q", options: options)
            step { kept.receiver = nil }
        }
    }

    /// Every word of the queue's file counts as its state.
    private static func watch(_ path: String) throws {
        let file = try FileDescriptor.open(FilePath(path), .readOnly)
        let size = Int(try file.seek(offset: 0, from: .end))
        guard let address = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, file.rawValue, 0), unsafe address != MAP_FAILED else {
            preconditionFailure("the queue's file could not be mapped")
        }
        unsafe ct_step_watch(address, UInt64(size))
    }

    /// Stays while the process lives.
    private final class Kept {
        var sender: Sender<Numbered>?
        var receiver: Receiver<Numbered>?
    }
}
