import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

extension [UInt8] {
    /// Bytes that tell their places.
    static func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }
}

/// Bytes of an array up to its end.
func text(_ bytes: [UInt8]?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }

/// Makes `call` fail once with each of `errors`: `body` must throw that, of this facility and operation, with advice; nothing may be swallowed.
func expectEach(
    _ errors: [Errno], of call: SystemCallName, _ facility: Facility, as operation: SystemCallName? = nil,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws(FacilityError) -> Void
) {
    for errno in errors {
        let error = #expect(throws: FacilityError.self, "\(call) \(errno)", sourceLocation: sourceLocation) {
            try SystemCallFaults.withFault(call, errno) { () throws(FacilityError) in try body() }
        }
        #expect(error?.errno == errno, sourceLocation: sourceLocation)
        #expect(error?.facility == facility, sourceLocation: sourceLocation)
        #expect(error?.operation == operation ?? call, sourceLocation: sourceLocation)
        #expect(error?.description.contains("errno \(errno.rawValue)") == true, sourceLocation: sourceLocation)
        #expect(error?.advice.isEmpty == false, sourceLocation: sourceLocation)
    }
}

/// Whether a descriptor is closed by `exec`.
func isClosedByExec(_ descriptor: FileDescriptor) -> Bool { fcntl(descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0 }

/// How many descriptors this process has open.
func openDescriptorCount() throws -> Int { try Directory(opening: "/proc/self/fd").names().count }

// Reading into an array. By names of their own: in an asynchronous function the asynchronous form would be chosen.

func blockingRead<R: ByteReading & ~Copyable>(
    _ end: borrowing R, _ count: Int, until deadline: MonotonicInstant? = nil
) throws(FacilityError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let found = if let deadline { try end.read(into: &span, until: deadline) } else { try end.read(into: &span) }
    return Array(bytes[..<found])
}

func tryRead<R: ByteReading & ~Copyable>(_ end: borrowing R, _ count: Int) throws(FacilityError) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    return try end.tryRead(into: &span).map { Array(bytes[..<$0]) }
}

func read<R: ByteReading & ~Copyable>(
    _ end: borrowing R, _ count: Int, until deadline: MonotonicInstant? = nil
) async throws(FacilityError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let found = try await end.read(into: &span, until: deadline)
    return Array(bytes[..<found])
}

func blockingWrite<W: ByteWriting & ~Copyable>(
    _ end: borrowing W, _ bytes: [UInt8], until deadline: MonotonicInstant? = nil
) throws(FacilityError) {
    if let deadline { try end.write(bytes.span, until: deadline) } else { try end.write(bytes.span) }
}

func blockingReceive<C: MessageChannel & ~Copyable>(
    _ channel: borrowing C, _ count: Int, until deadline: MonotonicInstant? = nil
) throws(FacilityError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let found = if let deadline { try channel.receive(into: &span, until: deadline) } else { try channel.receive(into: &span) }
    return Array(bytes[..<found])
}

func tryReceive<C: MessageChannel & ~Copyable>(_ channel: borrowing C, _ count: Int) throws(FacilityError) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    return try channel.tryReceive(into: &span).map { Array(bytes[..<$0]) }
}

func receive<C: MessageChannel & ~Copyable>(
    _ channel: borrowing C, _ count: Int, until deadline: MonotonicInstant? = nil
) async throws(FacilityError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let found = try await channel.receive(into: &span, until: deadline)
    return Array(bytes[..<found])
}

func blockingSend<C: MessageChannel & ~Copyable>(
    _ channel: borrowing C, _ message: [UInt8], until deadline: MonotonicInstant? = nil
) throws(FacilityError) {
    if let deadline { try channel.send(message.span, until: deadline) } else { try channel.send(message.span) }
}

func blockingWait<D: DescriptorFacility & ~Copyable>(_ end: borrowing D) throws(FacilityError) {
    try end.waitUntilReady(for: .writing, until: .after(watchdog))
}

func waitToRead<D: DescriptorFacility & ~Copyable>(_ end: borrowing D) throws(FacilityError) {
    try end.waitUntilReady(for: .reading, until: .after(watchdog))
}

extension Pipe {
    /// The reading end; the other one is a child's now.
    consuming func keepReading() throws -> PipeReader {
        let ends = release()
        try ends.writing.close()
        return PipeReader(owning: ends.reading)
    }

    /// The writing end; the other one is a child's now.
    consuming func keepWriting() throws -> PipeWriter {
        let ends = release()
        try ends.reading.close()
        return PipeWriter(owning: ends.writing)
    }
}

/// Writes until nothing goes any more for a while; returns how many bytes went.
func fill<W: ByteWriting & ~Copyable>(_ end: borrowing W, _ part: [UInt8]) throws(FacilityError) -> Int {
    var sent = 0
    while true {
        do throws(FacilityError) {
            try blockingWrite(end, part, until: after(milliseconds: 300))
            sent += part.count
        } catch let error where error.isDeadline {
            sent += error.transferred
            // Room that was not enough to be told of.
            while let count = try end.tryWrite(part.span) { sent += count }
            return sent
        }
    }
}
