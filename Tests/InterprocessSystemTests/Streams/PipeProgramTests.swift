import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K1 pipes and FIFOs between programs", .serialized)
struct PipeProgramTests {
    private let temporary: TemporaryDirectory
    private let path: FilePath

    init() throws {
        temporary = try TemporaryDirectory()
        path = temporary.path(of: "fifo")
    }

    @Test(
        "K1 two programs write records of the size that stands together, and each does; of one byte more they come mixed",
        arguments: [0, 1])
    func mixing(_ more: Int) async throws {
        let pipe = try Pipe()
        try pipe.setCapacity(4096)
        let (record, count) = (Pipe.atomicByteCount + more, 200)
        var writers: [PeerProcess] = []
        for letter in ["a", "b"] {
            let python = try PeerProcess(obeying: [(pipe.writing.descriptor, 3)])
            try await python.waits(in: "wrote = [os.write(3, b'\(letter)' * \(record)) for _ in range(\(count))]")
            writers.append(python)
        }
        var found: [UInt8] = []
        while found.count < 2 * count * record { found += try blockingRead(pipe.reading, 65536, until: .after(watchdog)) }
        for python in writers { try await python.isDone() }
        var wholes = 0
        for start in stride(from: 0, to: found.count, by: record) where found[start..<start + record].allSatisfy({ $0 == found[start] }) {
            wholes += 1
        }
        #expect((wholes == 2 * count) == (more == 0))
        #expect(found.count { $0 == UInt8(ascii: "a") } == count * record)
    }

    @Test("K1 a user without privileges gives a pipe its largest size, and not one byte more")
    func largestCapacity() async throws {
        let largest = try #require(Pipe.largestCapacity())
        let peer = try PeerProcess("pipe-capacity", ["\(largest)", "\(largest + 1)"])
        try await peer.expect("\(largest)")
        let refusal = try await peer.line()
        #expect(refusal.hasPrefix("errno 1;") && refusal.contains("Pipe.largestCapacity()"))
    }

    @Test("K1 a reader that is killed in the middle of a long writing: how much went before is told", arguments: WaitingForm.allCases)
    func deathInTheMiddle(_ form: WaitingForm) async throws {
        let pipe = try Pipe()
        let capacity = try pipe.capacity()
        let python = try PeerProcess(obeying: [(pipe.reading.descriptor, 3)])
        try await python.does("pass")
        let writer = try pipe.keepWriting()
        try python.releases(form, by: "drain(3, \(capacity)); asleep(); die()")
        let data = [UInt8](repeating: 7, count: 4 << 20)
        let error = await #expect(throws: FacilityError.self) { try await write(writer, data, form) }
        #expect(error?.isOtherSideGone == true)
        let transferred = try #require(error?.transferred)
        #expect((capacity..<data.count).contains(transferred))
        #expect(try await python.ending() == .signalled(Signal.kill))
    }

    @Test("K1 a call that waits at a full or an empty pipe goes on when another program reads or writes", arguments: WaitingForm.allCases)
    func released(_ form: WaitingForm) async throws {
        let full = try Pipe(), empty = try Pipe()
        let python = try PeerProcess(obeying: [(full.reading.descriptor, 3), (empty.writing.descriptor, 4)])
        try await python.does("pass")
        let sent = try fillAtOnce(full.writing)
        try python.releases(form, by: "drain(3, \(sent))")
        try await write(full.writing, Array("room".utf8), form)
        try await python.isDone()
        #expect(try await python.value(of: "os.read(3, 9).decode()") == "room")
        try python.releases(form, by: "os.write(4, b'late')")
        #expect(text(try await read(empty.reading, 9, form)) == "late")
        try await python.isDone()
    }

    // MARK: FIFOs

    /// A program that has the reading end open, as `r`.
    private func reader() async throws -> PeerProcess {
        let python = try PeerProcess(obeying: [])
        try await python.does("r = os.open('\(path)', os.O_RDONLY | os.O_NONBLOCK); os.set_blocking(r, True)")
        return python
    }

    private func writer(to fifo: Fifo) throws -> PipeWriter {
        guard let writer = try fifo.tryOpenWriter() else { throw Errno.noSuchAddressOrDevice }
        return writer
    }

    @Test("K1 a full FIFO takes not one byte more until another program reads", arguments: WaitingForm.allCases)
    func full(_ form: WaitingForm) async throws {
        let fifo = try Fifo.create(at: path)
        let python = try await reader()
        let writer = try writer(to: fifo)
        let sent = try fillAtOnce(writer)
        #expect(sent > 0 && sent % 4096 == 0)
        #expect(try writer.tryWrite([1].span) == nil)
        let late = #expect(throws: FacilityError.self) { try blockingWrite(writer, [1], until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true && late?.transferred == 0)
        try python.releases(form, by: "drain(r, 4096)")
        try await write(writer, [7], form)
        try await python.isDone()
        #expect(try await python.number(of: "len(os.read(r, 1 << 20))") == sent - 4096 + 1)
    }

    @Test("K1 of two programs that read from a FIFO each byte comes to one, and the end to both")
    func twoReaders() async throws {
        let fifo = try Fifo.create(at: path)
        let readers = [try await reader(), try await reader()]
        let count = 50
        do {
            let writer = try writer(to: fifo)
            for python in readers {
                try await python.waits(in: "found = [part[0] for part in iter(lambda: os.read(r, 4096), b'')]")
            }
            for number in 0..<count { try blockingWrite(writer, [UInt8](repeating: UInt8(number), count: 4096), until: .after(watchdog)) }
        }
        var found: [Int] = []
        for python in readers {
            try await python.isDone()
            found += try await python.value(of: "' '.join(map(str, found))").split(separator: " ").compactMap { Int($0) }
        }
        #expect(found.sorted() == Array(0..<count))
    }

    @Test("K1 of a FIFO's readers the last that is killed ends the writing, also what waits then", arguments: WaitingForm.allCases)
    func killedReaders(_ form: WaitingForm) async throws {
        let fifo = try Fifo.create(at: path)
        let first = try await reader(), second = try await reader()
        let writer = try writer(to: fifo)
        try await first.isKilled()
        let sent = try fillAtOnce(writer)
        try second.releases(form, by: "die()")
        let gone = await #expect(throws: FacilityError.self) { try await write(writer, [1], form) }
        #expect(gone?.isOtherSideGone == true && gone?.advice.contains("reading end") == true)
        let after = #expect(throws: FacilityError.self) { _ = try writer.tryWrite([1].span) }
        #expect(after?.errno == .brokenPipe)
        // What was written stays for who opens it next, for as long as this side is open.
        if try fifo.tryOpenWriter() != nil { Issue.record("nobody reads") }
        let third = try await reader()
        #expect(try await third.number(of: "len(os.read(r, 1 << 20))") == sent)
        try blockingWrite(writer, [9], until: .after(watchdog))
        #expect(try await third.value(of: "list(os.read(r, 99))") == "[9]")
    }

    @Test("K1 opening a FIFO waits for the other program's opening", arguments: [true, false])
    func opening(_ reads: Bool) async throws {
        let fifo = try Fifo.create(at: path)
        let python = try PeerProcess(obeying: [])
        try await python.does("pass")
        try python.releases(by: "f = os.open('\(path)', \(reads ? "os.O_WRONLY" : "os.O_RDONLY"))")
        if reads { _ = try fifo.openReader() } else { _ = try fifo.openWriter() }
        try await python.isDone()
    }

    @Test("K1 every errno of fstat(2) and fcntl(2) at a FIFO's opening is told, with what to do, and nothing stays open")
    func errors() throws {
        let fifo = try Fifo.create(at: path)
        let before = try openDescriptorCount()
        expectEach([.badFileDescriptor, .noMemory, .overflow, .permissionDenied], of: "fstat", .fifo) { () throws(FacilityError) in
            _ = try fifo.openReaderAtOnce()
        }
        expectEach([.badFileDescriptor, .invalidArgument, .notPermitted], of: "fcntl(F_SETFL)", .fifo) { () throws(FacilityError) in
            _ = try fifo.openReaderAtOnce()
        }
        #expect(try openDescriptorCount() == before)
    }
}
