import Glibc
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import InterprocessSystem

@Suite("K1 pipes", .serialized)
struct PipeTests {
    @Test("K1 what another program writes is read, to its end; and the other way round")
    func purpose() async throws {
        let toChild = try Pipe(), fromChild = try Pipe()
        let python = try PeerProcess(
            python: """
                import os, hashlib
                data = b''
                while (part := os.read(3, 65536)): data += part
                print(len(data), hashlib.md5(data).hexdigest(), flush=True)
                os.write(4, data)
                """,
            descriptors: [(toChild.reading.descriptor, 3), (fromChild.writing.descriptor, 4)])
        let writer = try toChild.keepWriting(), reader = try fromChild.keepReading()
        let data = [UInt8].pattern(1_000_003)
        try await writer.write(data.span)
        _ = consume writer
        #expect(try await python.line().hasPrefix("\(data.count) "))
        var found: [UInt8] = []
        while true {
            let part = try await read(reader, 65536)
            if part.isEmpty { break }
            found += part
        }
        #expect(found == data)
        #expect(try await python.ending() == .exited(0))
    }

    @Test("K1 a full pipe takes not one byte more, and says how many of a longer writing went in")
    func fullness() async throws {
        let pipe = try Pipe()
        let capacity = try pipe.capacity()
        let data = [UInt8].pattern(capacity + 1)
        #expect(try pipe.writing.tryWrite(data.span) == capacity)
        #expect(try pipe.writing.tryWrite([1].span) == nil)
        #expect(throws: FacilityError.self) { try blockingWrite(pipe.writing, [1], until: after(milliseconds: 5)) }
        #expect(try blockingRead(pipe.reading, 10) == Array(data[..<10]))
        // A page is free only when it was read to its end.
        #expect(try pipe.writing.tryWrite([1].span) == nil)
        _ = try blockingRead(pipe.reading, capacity)
        let error = #expect(throws: FacilityError.self) { try blockingWrite(pipe.writing, data, until: after(milliseconds: 5)) }
        #expect(error?.isDeadline == true)
        #expect(error?.transferred == capacity)
    }

    @Test("K1 a pipe of packets gives each writing by itself; one byte more than a packet is two, and what has no room is lost")
    func packets() throws {
        let pipe = try Pipe(packets: true)
        func next(_ count: Int) throws -> [UInt8]? {
            try tryRead(pipe.reading, count)
        }
        try blockingWrite(pipe.writing, [1, 2, 3])
        try blockingWrite(pipe.writing, [4])
        #expect(try next(100) == [1, 2, 3])
        #expect(try next(100) == [4])
        let long = [UInt8].pattern(Pipe.atomicByteCount + 1)
        try blockingWrite(pipe.writing, long)
        #expect(try next(10_000) == Array(long[..<Pipe.atomicByteCount]))
        #expect(try next(10_000) == Array(long[Pipe.atomicByteCount...]))
        try blockingWrite(pipe.writing, [1, 2, 3])
        try blockingWrite(pipe.writing, [4])
        #expect(try next(2) == [1, 2])
        #expect(try next(2) == [4])
    }

    @Test("K1 an empty pipe: trying finds nothing, waiting waits for the other side or the deadline")
    func emptiness() async throws {
        let pipe = try Pipe()
        let python = try PeerProcess(
            python: "import os, sys\nfor line in sys.stdin: os.write(3, line.encode())", descriptors: [(pipe.writing.descriptor, 3)])
        #expect(try tryRead(pipe.reading, 1) == nil)
        let start = MonotonicInstant.now
        let error = #expect(throws: FacilityError.self) {
            _ = try blockingRead(pipe.reading, 1, until: after(milliseconds: 20))
        }
        #expect(error?.isDeadline == true && start.advanced(by: .milliseconds(20)) <= .now)
        try python.send("one")
        #expect(text(try blockingRead(pipe.reading, 9)) == "one\n")
        try python.send("two")
        #expect(
            text(
                try blockingRead(pipe.reading, 9, until: .after(watchdog)))
                == "two\n")
    }

    @Test("K1 the asynchronous forms wait, and end with the deadline and with the task")
    func asynchronous() async throws {
        let pipe = try Pipe()
        let python = try PeerProcess(
            python: "import os, sys\nfor line in sys.stdin: os.write(3, line.encode())", descriptors: [(pipe.writing.descriptor, 3)])
        let reader = try pipe.keepReading()
        try python.send("late")
        #expect(
            text(try await read(reader, 9)) == "late\n")
        let late = await #expect(throws: FacilityError.self) {
            _ = try await read(reader, 9, until: after(milliseconds: 10))
        }
        #expect(late?.isDeadline == true)
        let task = Task {
            let error = await #expect(throws: FacilityError.self) {
                _ = try await read(reader, 9)
            }
            #expect(error?.isCancelled == true)
        }
        try await Task.sleep(for: .milliseconds(5))
        task.cancel()
        await task.value
    }

    @Test("K7 tasks wait for one descriptor, to read and to write, and each is woken in its time")
    func twoTasks() async throws {
        final class Sockets: Sendable {
            let pair: UnixSocketPair<UnixStream>
            init() throws { pair = try UnixStream.pair() }
        }
        let sockets = try Sockets()
        let filling = [UInt8].pattern(4096)
        var sent = 1
        while let count = try sockets.pair.first.tryWrite(filling.span) { sent += count }
        let one = Task { try await read(sockets.pair.first, 1) }
        let two = Task { try await read(sockets.pair.first, 1) }
        let three = Task { try await sockets.pair.first.write([1].span, until: .after(.seconds(10))) }
        try await Task.sleep(for: .milliseconds(5))
        try blockingWrite(sockets.pair.second, [1, 1])
        #expect(try await one.value + two.value == [1, 1])
        // The report for the readers was the only one that the kernel had been asked for.
        while sent > 0 { sent -= try blockingRead(sockets.pair.second, 1 << 20, until: .after(.seconds(10))).count }
        try await three.value
    }

    @Test("K1 a killed writer is the end, after all that it wrote", arguments: [true, false])
    func deadWriter(_ isAsynchronous: Bool) async throws {
        let pipe = try Pipe()
        let python = try PeerProcess(
            python: "import os, time\nos.write(3, b'last words')\nprint('written', flush=True)\ntime.sleep(1000)",
            descriptors: [(pipe.writing.descriptor, 3)])
        let reader = try pipe.keepReading()
        try await python.expect("written")
        python.kill()
        _ = try await python.ending()
        #expect(text(try blockingRead(reader, 99)) == "last words")
        let end =
            isAsynchronous
            ? try await read(reader, 9)
            : try blockingRead(reader, 9)
        #expect(end == [])
    }

    /// Before Linux 6.18 the signal is held back instead.
    @Test("K1 a killed reader is an error and no signal, on every kernel", arguments: [true, false])
    func deadReader(_ kernelHasFlag: Bool) async throws {
        writesWithoutSignal.store(kernelHasFlag, ordering: .relaxed)
        defer { writesWithoutSignal.store(true, ordering: .relaxed) }
        let before = signal(SIGPIPE, SIG_DFL)
        defer { _ = signal(SIGPIPE, before) }
        let pipe = try Pipe()
        let python = try PeerProcess(
            python: "import time\nprint('ready', flush=True)\ntime.sleep(1000)", descriptors: [(pipe.reading.descriptor, 3)])
        let writer = try pipe.keepWriting()
        try await python.expect("ready")
        try blockingWrite(writer, [1, 2, 3])
        python.kill()
        _ = try await python.ending()
        for _ in 0..<2 {
            let error = #expect(throws: FacilityError.self) { try blockingWrite(writer, [4]) }
            #expect(error?.isOtherSideGone == true)
        }
        let error = #expect(throws: FacilityError.self) { _ = try writer.tryWrite([4].span) }
        #expect(error?.errno == .brokenPipe)
        #expect("\(error!)".contains("nobody has the reading end"))
        let late = #expect(throws: FacilityError.self) { try blockingWrite(writer, [4], until: .after(watchdog)) }
        #expect(late?.isOtherSideGone == true)
        var pending = sigset_t()
        unsafe sigpending(&pending)
        unsafe #expect(sigismember(&pending, SIGPIPE) == 0)
    }

    @Test("K1 a kernel without calls that do not wait is asked first, and then called")
    func olderKernel() throws {
        let pipe = try Pipe()
        func read() throws -> [UInt8]? {
            try SystemCallFaults.withFault("preadv2(RWF_NOWAIT)", .notSupported) { () throws(FacilityError) in
                try tryRead(pipe.reading, 9999)
            }
        }
        func write(_ bytes: [UInt8]) throws -> Int? {
            try SystemCallFaults.withFault("pwritev2(RWF_NOWAIT)", .notSupported) { () throws(FacilityError) in
                try pipe.writing.tryWrite(bytes.span)
            }
        }
        #expect(try read() == nil)
        #expect(try write(.pattern(5000)) == Pipe.atomicByteCount)
        #expect(try read()?.count == Pipe.atomicByteCount)
        while try pipe.writing.tryWrite([UInt8].pattern(4096).span) != nil {}
        #expect(try write([1]) == nil)
    }

    @Test("K1 the size is asked for and granted as the kernel says")
    func size() throws {
        let pipe = try Pipe()
        #expect(try pipe.setCapacity(5000) == 8192)
        #expect(try pipe.capacity() == 8192)
        #expect(try pipe.setCapacity(1) == 4096)
        let largest = try #require(Pipe.largestCapacity())
        #expect(try pipe.setCapacity(largest) == largest)
        #expect(try pipe.writing.tryWrite([UInt8].pattern(10_000).span) == 10_000)
        let busy = #expect(throws: FacilityError.self) { try pipe.setCapacity(4096) }
        #expect(busy?.errno == .resourceBusy)
        let invalid = #expect(throws: FacilityError.self) { try pipe.setCapacity(1 << 31 + 1) }
        #expect(invalid?.errno == .invalidArgument)
        #expect(isClosedByExec(pipe.reading.descriptor) && isClosedByExec(pipe.writing.descriptor))
    }

    @Test("K1 every errno of pipe(2), read(2), write(2) and fcntl(2) for pipes is told, with what to do")
    func errors() throws {
        let pipe = try Pipe()
        try blockingWrite(pipe.writing, [1])
        expectEach([.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .badAddress, .invalidArgument], of: "pipe2", .pipe) {
            () throws(FacilityError) in _ = try Pipe()
        }
        expectEach([.badFileDescriptor, .badAddress, .ioError, .invalidArgument, .isDirectory], of: "read", .pipe) {
            () throws(FacilityError) in _ = try blockingRead(pipe.reading, 1)
        }
        expectEach([.badFileDescriptor, .badAddress, .ioError, .invalidArgument], of: "preadv2(RWF_NOWAIT)", .pipe) {
            () throws(FacilityError) in _ = try tryRead(pipe.reading, 1)
        }
        expectEach([.badFileDescriptor, .badAddress, .ioError, .brokenPipe, .noMemory], of: "write", .pipe) { () throws(FacilityError) in
            try blockingWrite(pipe.writing, [1])
        }
        expectEach([.badFileDescriptor, .ioError, .brokenPipe], of: "pwritev2(RWF_NOWAIT)", .pipe) { () throws(FacilityError) in
            _ = try pipe.writing.tryWrite([1].span)
        }
        expectEach([.notPermitted, .resourceBusy, .invalidArgument, .noMemory], of: "fcntl(F_SETPIPE_SZ)", .pipe) {
            () throws(FacilityError) in try pipe.setCapacity(4096)
        }
        expectEach([.badFileDescriptor], of: "fcntl(F_GETPIPE_SZ)", .pipe) { () throws(FacilityError) in _ = try pipe.capacity() }
        expectEach([.noMemory, .badFileDescriptor], of: "ppoll", .pipe) { () throws(FacilityError) in
            try blockingWait(pipe.writing)
        }
        // A signal is no error: the call is made again.
        try SystemCallFaults.withFault("write", .interrupted) { () throws(FacilityError) in try blockingWrite(pipe.writing, [1]) }
        let closed = PipeReader(owning: FileDescriptor(rawValue: Int32.max))
        let error = #expect(throws: FacilityError.self) {
            _ = try tryRead(closed, 1)
        }
        #expect(error?.errno == .badFileDescriptor)
        _ = closed.release()
    }
}
