import CBenchmarkPeers
import InterprocessSystem
import SystemPackage

/// One process's end of a facility that carries messages of one size.
protocol FacilityEnd: AnyObject {
    func put(_ message: Span<UInt8>) throws
    /// Fills the buffer with the next message.
    func get(_ message: inout MutableSpan<UInt8>) throws
}

/// Two things that bytes are written to and read from.
final class StreamEnds<Reader: ByteReading & ~Copyable, Writer: ByteWriting & ~Copyable>: FacilityEnd {
    private let reader: Reader
    private let writer: Writer
    init(_ reader: consuming Reader, _ writer: consuming Writer) {
        self.reader = reader
        self.writer = writer
    }

    func put(_ message: Span<UInt8>) throws { try writer.write(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try readAll(reader, &message) }
}

/// One thing that bytes are written to and read from.
final class StreamEnd<Stream: ByteReading & ByteWriting & ~Copyable>: FacilityEnd {
    private let stream: Stream
    init(_ stream: consuming Stream) { self.stream = stream }

    func put(_ message: Span<UInt8>) throws { try stream.write(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try readAll(stream, &message) }
}

private func readAll<Reader: ByteReading & ~Copyable>(_ reader: borrowing Reader, _ message: inout MutableSpan<UInt8>) throws {
    var done = 0
    while done < message.count {
        var rest = message._mutatingExtracting(droppingFirst: done)
        let count = try reader.read(into: &rest)
        if count == 0 { throw BenchmarkError("the other side has closed") }
        done += count
    }
}

/// One thing that messages are sent to and received from.
final class ChannelEnd<Channel: MessageChannel & ~Copyable>: FacilityEnd {
    private let channel: Channel
    init(_ channel: consuming Channel) { self.channel = channel }

    func put(_ message: Span<UInt8>) throws { try channel.send(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try expectWhole(try channel.receive(into: &message), message.count) }
}

/// A POSIX message queue in each direction.
final class PosixQueueEnds: FacilityEnd {
    private let input: PosixMessageQueue
    private let output: PosixMessageQueue
    init(_ side: BenchmarkSide) throws {
        input = try PosixMessageQueue(owning: side.descriptor(0))
        output = try PosixMessageQueue(owning: side.descriptor(1))
    }

    func put(_ message: Span<UInt8>) throws { try output.send(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try expectWhole(try input.receive(into: &message), message.count) }
}

/// The same of System V.
final class SystemVQueueEnds: FacilityEnd {
    private let input: SystemVMessageQueue
    private let output: SystemVMessageQueue
    init(_ side: BenchmarkSide, isOneWay: Bool) {
        let queues = unsafe bench_open_queues(side.pointer)
        let there = SystemVMessageQueue(identifier: queues.there), back = SystemVMessageQueue(identifier: queues.back)
        (input, output) = (side.isNear && !isOneWay ? back : there, side.isNear || isOneWay ? there : back)
    }

    func put(_ message: Span<UInt8>) throws { try output.send(message, type: 1) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try expectWhole(try input.receive(into: &message).byteCount, message.count) }
}

private func expectWhole(_ count: Int, _ size: Int) throws {
    guard count == size else { throw BenchmarkError("a message of another size came") }
}
