import CBenchmarkPeers
import InterprocessSystem
import SystemPackage

/// One process's end of a facility that carries messages of one size.
protocol FacilityEnd: AnyObject {
    func put(_ message: Span<UInt8>) throws
    /// Fills the buffer with the next message.
    func get(_ message: inout MutableSpan<UInt8>) throws
}

// A class for each, since a generic one's calls would not be those that its user makes: the compiler leaves them general.

final class PipeEnds: FacilityEnd {
    private let reader: PipeReader
    private let writer: PipeWriter
    init(_ side: BenchmarkSide) {
        reader = PipeReader(owning: side.descriptor(0))
        writer = PipeWriter(owning: side.descriptor(1))
    }

    func put(_ message: Span<UInt8>) throws { try writer.write(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try readAll(reader, &message) }
}

final class UnixStreamEnd: FacilityEnd {
    private let stream: UnixStream
    init(_ side: BenchmarkSide) { stream = UnixStream(owning: side.descriptor(0)) }

    func put(_ message: Span<UInt8>) throws { try stream.write(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try readAll(stream, &message) }
}

final class TcpEnd: FacilityEnd {
    private let stream: TcpStream
    init(_ side: BenchmarkSide) { stream = TcpStream(owning: side.descriptor(0)) }

    func put(_ message: Span<UInt8>) throws { try stream.write(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try readAll(stream, &message) }
}

/// The side that plays the person.
final class PseudoterminalEnd: FacilityEnd {
    private let terminal: Pseudoterminal
    init(_ side: BenchmarkSide) { terminal = Pseudoterminal(owning: side.descriptor(0)) }

    func put(_ message: Span<UInt8>) throws { try terminal.write(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try readAll(terminal, &message) }
}

/// The program's side.
final class TerminalEnd: FacilityEnd {
    private let terminal: Terminal
    init(_ side: BenchmarkSide) { terminal = Terminal(owning: side.descriptor(0)) }

    func put(_ message: Span<UInt8>) throws { try terminal.write(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try readAll(terminal, &message) }
}

@inline(__always)
private func readAll<Reader: ByteReading & ~Copyable>(_ reader: borrowing Reader, _ message: inout MutableSpan<UInt8>) throws {
    var done = 0
    while done < message.count {
        var rest = message._mutatingExtracting(droppingFirst: done)
        let count = try reader.read(into: &rest)
        if count == 0 { throw BenchmarkError("the other side has closed") }
        done += count
    }
}

final class UnixDatagramEnd: FacilityEnd {
    private let socket: UnixDatagram
    init(_ side: BenchmarkSide) { socket = UnixDatagram(owning: side.descriptor(0)) }

    func put(_ message: Span<UInt8>) throws { try socket.send(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try expectWhole(try socket.receive(into: &message), message.count) }
}

final class UnixSeqpacketEnd: FacilityEnd {
    private let socket: UnixSeqpacket
    init(_ side: BenchmarkSide) { socket = UnixSeqpacket(owning: side.descriptor(0)) }

    func put(_ message: Span<UInt8>) throws { try socket.send(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try expectWhole(try socket.receive(into: &message), message.count) }
}

final class UdpEnd: FacilityEnd {
    private let socket: UdpSocket
    init(_ side: BenchmarkSide) { socket = UdpSocket(owning: side.descriptor(0)) }

    func put(_ message: Span<UInt8>) throws { try socket.send(message) }
    func get(_ message: inout MutableSpan<UInt8>) throws { try expectWhole(try socket.receive(into: &message), message.count) }
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
