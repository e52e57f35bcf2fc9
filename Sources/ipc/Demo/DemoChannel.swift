import Interprocess
import InterprocessSystem
import SystemPackage

/// By what the stream goes.
enum DemoMedium: String, CaseIterable {
    case queue, pipe, socket

    var title: String {
        switch self {
        case .queue: "shared memory"
        case .pipe: "pipe"
        case .socket: "unix socket"
        }
    }
}

/// What stands before the bytes of each message, whatever it goes by: its number, and the hash of the stream up to its end.
struct DemoHeader {
    static let size = 16
    var sequence: UInt64
    var digest: UInt64

    init(sequence: UInt64, digest: UInt64) {
        self.sequence = sequence
        self.digest = digest
    }

    init(reading bytes: UnsafeRawBufferPointer) {
        unsafe sequence = bytes.loadUnaligned(as: UInt64.self)
        unsafe digest = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    }

    func write(to bytes: UnsafeMutableRawBufferPointer) {
        unsafe bytes.storeBytes(of: sequence, as: UInt64.self)
        unsafe bytes.storeBytes(of: digest, toByteOffset: 8, as: UInt64.self)
    }
}

/// The receiver's check of one message after the other: nothing lost, nothing doubled, nothing changed.
struct DemoCheck {
    let plan: DemoPlan
    private(set) var messages = 0
    private(set) var bytes = 0
    private var hash = StreamHash()

    init(_ plan: DemoPlan) { self.plan = plan }

    var digest: UInt64 { hash.digest }
    var isComplete: Bool { messages == plan.messages }

    /// Checks a message where it stands.
    mutating func check(_ message: UnsafeRawBufferPointer) throws(CommandFailure) {
        guard message.count >= DemoHeader.size else { throw CommandFailure("message \(messages) has only \(message.count) bytes") }
        let header = unsafe DemoHeader(reading: message)
        guard header.sequence == UInt64(messages) else {
            throw CommandFailure(
                "message \(header.sequence) came where \(messages) was due: \(header.sequence < messages ? "doubled" : "lost")")
        }
        let payload = unsafe UnsafeRawBufferPointer(rebasing: message[DemoHeader.size...])
        guard !isComplete, payload.count == plan.range(ofMessage: messages).count else {
            throw CommandFailure("message \(messages) has \(payload.count) bytes, which is not its size")
        }
        unsafe hash.update(payload)
        guard hash.digest == header.digest else { throw CommandFailure("message \(messages) is not what was sent: its checksum differs") }
        messages += 1
        bytes += payload.count
    }
}

extension FileDescriptor {
    /// Reads until `buffer` is full; false if the end came at once.
    func readFully(into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
        var done = 0
        while done < buffer.count {
            let count = unsafe try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
            if count == 0 {
                if done == 0 { return false }
                throw Errno.ioError
            }
            done += count
        }
        return true
    }
}
