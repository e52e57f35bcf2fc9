import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K6 splice, tee, vmsplice")
struct SpliceTests {
    // By names of their own: in an asynchronous function the asynchronous form would be chosen.
    private func move(_ reader: borrowing PipeReader, to file: FileDescriptor, at offset: Int? = nil, _ count: Int) throws(FacilityError)
        -> Int
    {
        try reader.splice(to: file, at: offset, count: count)
    }
    private func move(_ reader: borrowing PipeReader, to file: FileDescriptor, _ count: Int, until deadline: MonotonicInstant)
        throws(FacilityError) -> Int
    {
        try reader.splice(to: file, count: count, until: deadline)
    }
    private func move(from file: FileDescriptor, at offset: Int? = nil, to writer: borrowing PipeWriter, _ count: Int) throws(FacilityError)
        -> Int
    {
        try writer.splice(from: file, at: offset, count: count)
    }
    private func move(from file: FileDescriptor, to writer: borrowing PipeWriter, _ count: Int, until deadline: MonotonicInstant)
        throws(FacilityError) -> Int
    {
        try writer.splice(from: file, count: count, until: deadline)
    }
    private func copy(_ reader: borrowing PipeReader, to writer: borrowing PipeWriter, _ count: Int) throws(FacilityError) -> Int {
        try reader.tee(to: writer, count: count)
    }
    private func copy(_ reader: borrowing PipeReader, to writer: borrowing PipeWriter, _ count: Int, until deadline: MonotonicInstant)
        throws(FacilityError) -> Int
    {
        try reader.tee(to: writer, count: count, until: deadline)
    }
    private func lend(_ memory: borrowing AnonymousMemory, to writer: borrowing PipeWriter, until deadline: MonotonicInstant? = nil)
        throws(FacilityError) -> Int
    {
        try unsafe memory.withUnsafeBytes { (bytes) throws(FacilityError) in
            if let deadline { try unsafe writer.lend(bytes, until: deadline) } else { try unsafe writer.lend(bytes) }
        }
    }

    private func file(_ content: [UInt8] = []) throws -> OwnedDescriptor {
        let file = try MemoryFile.make(named: "test", size: 0)
        try file.descriptor.writeAll(content)
        try file.descriptor.seek(offset: 0, from: .start)
        return file
    }
    private func content(of file: FileDescriptor) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: try FileStatus(of: file).size)
        _ = unsafe try bytes.withUnsafeMutableBytes { unsafe try file.readAll(into: $0, at: 0) }
        return bytes
    }

    @Test(
        "K6 what another program writes into a pipe goes into a file, and what stands in a file into a pipe that it reads, and is spliced by it"
    )
    func purpose() async throws {
        let toChild = try Pipe(), fromChild = try Pipe()
        let python = try PeerProcess(
            python: """
                import os
                os.write(4, b'from python')
                target = os.memfd_create('target')
                count = 0
                while (moved := os.splice(3, target, 1 << 20)): count += moved
                print(count, os.pread(target, 11, count - 11).decode(), flush=True)
                """, descriptors: [(toChild.reading.descriptor, 3), (fromChild.writing.descriptor, 4)])
        let writer = try toChild.keepWriting(), reader = try fromChild.keepReading()
        let target = try file(Array("at first".utf8))
        var moved = 0
        while true {
            let count = try move(reader, to: target.descriptor, at: 3 + moved, 4)
            if count == 0 { break }
            moved += count
            if moved == 11 { break }
        }
        #expect(text(try content(of: target.descriptor)) == "at from python")
        #expect(try target.descriptor.seek(offset: 0, from: .current) == 0, "the file's own position stays")
        let source = try file([UInt8].pattern(300_000) + Array("hello there".utf8))
        var sent = 0
        while true {
            let count = try move(from: source.descriptor, to: writer, 1 << 20)
            if count == 0 { break }
            sent += count
        }
        #expect(sent == 300_011)
        _ = consume writer
        try await python.expect("300011 hello there")
        #expect(try await python.ending() == .exited(0))
        #expect(try move(reader, to: target.descriptor, 4) == 0, "the end")
    }

    @Test("K6 tee copies, and leaves; between pipes bytes move")
    func tee() throws {
        let one = try Pipe(), other = try Pipe(), third = try Pipe()
        try blockingWrite(one.writing, Array("twice".utf8))
        #expect(try copy(one.reading, to: other.writing, 3) == 3)
        #expect(try one.reading.tryTee(to: other.writing, count: 100) == 5)
        #expect(text(try blockingRead(other.reading, 100)) == "twitwice")
        #expect(try one.reading.trySplice(to: third.writing.descriptor, count: 100) == 5)
        #expect(text(try blockingRead(third.reading, 100)) == "twice")
        #expect(try one.reading.tryTee(to: other.writing, count: 1) == nil)
        #expect(try one.reading.trySplice(to: third.writing.descriptor, count: 1) == nil)
        #expect(try third.writing.trySplice(from: one.reading.descriptor, count: 1) == nil)
    }

    @Test("K6 memory is lent to a pipe: the reader sees it in its place")
    func lending() async throws {
        let pipe = try Pipe()
        let memory = try AnonymousMemory(byteCount: 8192)
        store("before", in: memory, at: 4096)
        #expect(try lend(memory, to: pipe.writing) == 8192)
        store("after!", in: memory, at: 4096)
        #expect(text(Array(try blockingRead(pipe.reading, 8192)[4096..<4102])) == "after!")
        // To another program, and what is full is told.
        let child = try Pipe()
        let capacity = try child.capacity()
        let large = try AnonymousMemory(byteCount: capacity + 4096)
        #expect(try lend(large, to: child.writing) == capacity)
        #expect(unsafe try large.withUnsafeBytes { unsafe try child.writing.tryLend($0) } == nil)
        let late = #expect(throws: FacilityError.self) { _ = try lend(large, to: child.writing, until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        let python = try PeerProcess(
            python: "import os\nprint(len(os.read(3, 1 << 20)), flush=True)", descriptors: [(child.reading.descriptor, 3)])
        #expect(try lend(large, to: child.writing, until: .after(watchdog)) > 0)
        try await python.expect("\(capacity)")
        let bytes = unsafe large.withUnsafeBytes { unsafe $0 }
        let other = try Pipe()
        #expect(unsafe try await other.writing.lend(bytes) == capacity)
        let asleep = await #expect(throws: FacilityError.self) {
            _ = unsafe try await other.writing.lend(bytes, until: after(milliseconds: 5))
        }
        #expect(asleep?.isDeadline == true)
        withExtendedLifetime(large) {}
    }

    @Test("K6 an empty pipe, a full pipe, a full socket: trying finds nothing to do, and waiting ends at the deadline")
    func boundaries() async throws {
        let pipe = try Pipe(), full = try Pipe(), empty = try Pipe()
        let capacity = try full.capacity()
        let source = try file(.pattern(capacity + 1))
        // One byte more than fits.
        #expect(try full.writing.trySplice(from: source.descriptor, at: 0, count: capacity + 1) == capacity)
        #expect(try full.writing.trySplice(from: source.descriptor, at: capacity, count: 1) == nil)
        try blockingWrite(pipe.writing, [1, 2, 3])
        #expect(try pipe.reading.trySplice(to: full.writing.descriptor, count: 1) == nil)
        #expect(try pipe.reading.tryTee(to: full.writing, count: 1) == nil)
        let sockets = try UnixStream.pair()
        while try sockets.first.tryWrite([UInt8].pattern(4096).span) != nil {}
        #expect(try pipe.reading.trySplice(to: sockets.first.descriptor, count: 1) == nil)
        #expect(try pipe.writing.trySplice(from: sockets.first.descriptor, count: 1) == nil)
        let target = try file()
        var late: [FacilityError?] = []
        late.append(
            #expect(throws: FacilityError.self) { _ = try move(empty.reading, to: target.descriptor, 1, until: after(milliseconds: 5)) })
        late.append(
            #expect(throws: FacilityError.self) {
                _ = try move(pipe.reading, to: full.writing.descriptor, 1, until: after(milliseconds: 5))
            })
        late.append(
            #expect(throws: FacilityError.self) {
                _ = try move(from: sockets.first.descriptor, to: pipe.writing, 1, until: after(milliseconds: 5))
            })
        late.append(#expect(throws: FacilityError.self) { _ = try copy(empty.reading, to: pipe.writing, 1, until: after(milliseconds: 5)) })
        late.append(#expect(throws: FacilityError.self) { _ = try copy(pipe.reading, to: full.writing, 1, until: after(milliseconds: 5)) })
        late.append(
            await #expect(throws: FacilityError.self) {
                _ = try await empty.reading.splice(to: target.descriptor, count: 1, until: after(milliseconds: 5))
            })
        late.append(
            await #expect(throws: FacilityError.self) {
                _ = try await full.writing.splice(from: source.descriptor, count: 1, until: after(milliseconds: 5))
            })
        late.append(
            await #expect(throws: FacilityError.self) {
                _ = try await pipe.reading.tee(to: full.writing, count: 1, until: after(milliseconds: 5))
            })
        #expect(late.allSatisfy { $0?.isDeadline == true && $0?.facility == .transfer })
        // Nothing was moved by all that.
        #expect(try blockingRead(pipe.reading, 10) == [1, 2, 3])
    }

    @Test("K6 what waits goes on when the other program writes or reads, in the call, with a deadline, and in a task that can be cancelled")
    func waiting() async throws {
        let pipe = try Pipe(), orders = try Pipe()
        let python = try PeerProcess(
            python: "import os, sys\nfor line in sys.stdin: os.write(3, line.encode())", descriptors: [(pipe.writing.descriptor, 3)])
        let target = try file()
        try python.send("a")
        #expect(try move(pipe.reading, to: target.descriptor, 9) == 2)
        try python.send("b")
        #expect(try move(pipe.reading, to: target.descriptor, 9, until: .after(watchdog)) == 2)
        try python.send("c")
        #expect(try await pipe.reading.splice(to: target.descriptor, count: 9) == 2)
        #expect(text(try content(of: target.descriptor)) == "a\nb\nc\n")
        try python.send("d")
        #expect(try copy(pipe.reading, to: orders.writing, 9) == 2)
        #expect(try await pipe.reading.tee(to: orders.writing, count: 9) == 2)
        #expect(try move(from: pipe.reading.descriptor, to: orders.writing, 9) == 2)
        try python.send("e")
        #expect(try await orders.writing.splice(from: pipe.reading.descriptor, count: 9) == 2)
        #expect(text(try blockingRead(orders.reading, 99)) == "d\nd\nd\ne\n")
        let reader = try pipe.keepReading()
        let task = Task {
            let error = await #expect(throws: FacilityError.self) { _ = try await reader.splice(to: target.descriptor, count: 9) }
            #expect(error?.isCancelled == true)
        }
        try await Task.sleep(for: .milliseconds(5))
        task.cancel()
        await task.value
    }

    @Test("K6 a killed reader is an error and no signal; a killed writer is the end")
    func deaths() async throws {
        let before = signal(SIGPIPE, SIG_DFL)
        defer { _ = signal(SIGPIPE, before) }
        let toChild = try Pipe(), fromChild = try Pipe(), source = try Pipe()
        let python = try PeerProcess(
            python: "import os, time\nos.write(4, b'last')\nprint('ready', flush=True)\ntime.sleep(1000)",
            descriptors: [(toChild.reading.descriptor, 3), (fromChild.writing.descriptor, 4)])
        let writer = try toChild.keepWriting(), reader = try fromChild.keepReading()
        try await python.expect("ready")
        try blockingWrite(source.writing, [1, 2, 3])
        python.kill()
        _ = try await python.ending()
        let memory = try AnonymousMemory(byteCount: 4096)
        let input = try file([1, 2, 3])
        var errors: [FacilityError?] = []
        errors.append(#expect(throws: FacilityError.self) { _ = try move(from: input.descriptor, to: writer, 1) })
        errors.append(#expect(throws: FacilityError.self) { _ = try copy(source.reading, to: writer, 1) })
        errors.append(#expect(throws: FacilityError.self) { _ = try move(source.reading, to: writer.descriptor, 1) })
        errors.append(#expect(throws: FacilityError.self) { _ = try lend(memory, to: writer) })
        errors.append(
            #expect(throws: FacilityError.self) { _ = try writer.sendFile(input.descriptor, at: 0, count: 1, until: .after(watchdog)) })
        #expect(errors.allSatisfy { $0?.isOtherSideGone == true && $0?.advice.contains("reading end") == true })
        let target = try file()
        #expect(try move(reader, to: target.descriptor, 10) == 4)
        #expect(try move(reader, to: target.descriptor, 10) == 0)
        #expect(try reader.trySplice(to: target.descriptor, count: 10) == 0)
        #expect(try reader.tryTee(to: source.writing, count: 10) == 0)
    }

    @Test("K6 every errno of splice, tee and vmsplice is told, with what to do")
    func errors() throws {
        let pipe = try Pipe(), other = try Pipe()
        let source = try file([1, 2, 3])
        try blockingWrite(pipe.writing, [1])
        let same = #expect(throws: FacilityError.self) { _ = try copy(pipe.reading, to: pipe.writing, 1) }
        #expect(same?.errno == .invalidArgument && same?.advice.contains("itself") == true)
        let place = #expect(throws: FacilityError.self) { _ = try move(pipe.reading, to: other.writing.descriptor, at: 5, 1) }
        #expect(place?.errno == .illegalSeek && place?.advice.contains("leave the offset out") == true)
        let queue = try EventCounter()
        let kind = #expect(throws: FacilityError.self) { _ = try move(pipe.reading, to: queue.descriptor, 1) }
        #expect(kind?.errno == .invalidArgument)
        let closed = #expect(throws: FacilityError.self) { _ = try move(pipe.reading, to: FileDescriptor(rawValue: .max), 1) }
        #expect(closed?.errno == .badFileDescriptor)
        let nowhere = #expect(throws: FacilityError.self) {
            _ = unsafe try other.writing.lend(UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: 4096), count: 4096))
        }
        #expect(nowhere?.errno == .badAddress && nowhere?.advice.contains("lend what is mapped") == true)
        let memory = try AnonymousMemory(byteCount: 4096)
        let splicing: [Errno] = [
            .resourceTemporarilyUnavailable, .badFileDescriptor, .invalidArgument, .noMemory, .illegalSeek, .brokenPipe, .ioError,
            .fileTooLarge,
            .noSpace,
        ]
        expectEach(splicing, of: "splice", .transfer) { () throws(FacilityError) in _ = try move(pipe.reading, to: source.descriptor, 1) }
        expectEach(splicing, of: "splice", .transfer) { () throws(FacilityError) in
            _ = try move(from: source.descriptor, to: other.writing, 1)
        }
        expectEach([.resourceTemporarilyUnavailable, .invalidArgument, .noMemory, .brokenPipe, .badFileDescriptor], of: "tee", .transfer) {
            () throws(FacilityError) in _ = try copy(pipe.reading, to: other.writing, 1)
        }
        expectEach(
            [.resourceTemporarilyUnavailable, .badAddress, .badFileDescriptor, .invalidArgument, .noMemory, .brokenPipe], of: "vmsplice",
            .transfer
        ) {
            () throws(FacilityError) in _ = try lend(memory, to: other.writing)
        }
        expectEach([.noMemory, .invalidArgument], of: "ppoll", .transfer) { () throws(FacilityError) in
            _ = try pipe.reading.trySplice(to: source.descriptor, count: 1)
        }
        try SystemCallFaults.withFault("splice", .interrupted) { () throws(FacilityError) in
            _ = try move(pipe.reading, to: source.descriptor, 1)
        }
    }
}
