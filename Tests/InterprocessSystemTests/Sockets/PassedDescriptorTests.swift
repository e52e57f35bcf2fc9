import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K7 passing descriptors", .serialized)
struct PassedDescriptorTests {
    private func receive<S: UnixSocket & ~Copyable>(
        _ socket: borrowing S, _ descriptors: inout ReceivedDescriptors, maximum: Int = ReceivedDescriptors.mostInOneMessage
    ) throws(FacilityError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 99)
        var span = bytes.mutableSpan
        let count = try socket.receive(into: &span, with: &descriptors, maximum: maximum)
        return Array(bytes[..<count])
    }

    private func next(_ came: inout ReceivedDescriptors) throws -> OwnedDescriptor {
        guard let one = came.takeFirst() else { throw Errno.badFileDescriptor }
        return one
    }

    @Test("K7 another program gets a file and sends one")
    func purpose() async throws {
        let pair = try UnixStream.pair()
        let python = try PeerProcess(
            python: """
                import socket, os
                s = socket.socket(fileno=3)
                m, fds, flags, _ = socket.recv_fds(s, 99, 9)
                os.write(fds[0], b'by python')
                r, w = os.pipe()
                os.write(w, b'in the pipe')
                socket.send_fds(s, [b'take it'], [r, w])
                """, descriptors: [(pair.second.descriptor, 3)])
        let file = try MemoryFile.make(named: "passed", size: 0)
        #expect(try pair.first.send(Array("here".utf8).span, with: [file.descriptor]) == 4)
        var came = ReceivedDescriptors()
        #expect(text(try receive(pair.first, &came)) == "take it")
        #expect(came.count == 2)
        let reader = PipeReader(owning: try next(&came).release())
        #expect(text(try blockingRead(reader, 99)) == "in the pipe")
        #expect(isClosedByExec(reader.descriptor))
        #expect(try FileStatus(of: file.descriptor).size == 9)
        #expect(try await python.ending() == .exited(0))
    }

    @Test(
        "K7 any number up to the kernel's limit, in order, and not one more",
        arguments: [1, 2, 3, 252, ReceivedDescriptors.mostInOneMessage])
    func number(_ count: Int) throws {
        let pair = try UnixSeqpacket.pair()
        let files = [try MemoryFile.make(named: "a", size: 1).release(), try MemoryFile.make(named: "b", size: 2).release()]
        defer { for file in files { try? file.close() } }
        let before = try openDescriptorCount()
        #expect(try pair.first.send([9].span, with: (0..<count).map { files[$0 % 2] }) == 1)
        var came = ReceivedDescriptors()
        #expect(try receive(pair.second, &came) == [9])
        #expect(came.count == count)
        for index in 0..<count {
            let one = try next(&came)
            #expect(try FileStatus(of: one.descriptor).size == index % 2 + 1)
        }
        #expect(came.count == 0)
        #expect(try openDescriptorCount() == before)
    }

    @Test("K7 more than the limit, or more than were asked for, are an error, and none stays open")
    func excess() throws {
        let pair = try UnixStream.pair()
        let file = try MemoryFile.make(named: "a", size: 1)
        let many = [FileDescriptor](repeating: file.descriptor, count: ReceivedDescriptors.mostInOneMessage + 1)
        let error = #expect(throws: FacilityError.self) { _ = try pair.first.send([9].span, with: many) }
        #expect(error?.errno == .invalidArgument && error?.advice.contains("253") == true)
        let before = try openDescriptorCount()
        _ = try pair.first.send([9].span, with: [file.descriptor, file.descriptor])
        var came = ReceivedDescriptors()
        let excess = #expect(throws: FacilityError.self) { _ = try receive(pair.second, &came, maximum: 1) }
        #expect(excess?.errno == .tooManyReferences)
        #expect(came.count == 0)
        #expect(try openDescriptorCount() == before)
        // Who only reads has them closed by the kernel.
        _ = try pair.first.send([8].span, with: [file.descriptor])
        #expect(try blockingRead(pair.second, 9) == [8])
        #expect(try openDescriptorCount() == before)
        // Those that are not taken go with their value.
        _ = try pair.first.send([7].span, with: [file.descriptor, file.descriptor])
        do {
            var left = ReceivedDescriptors()
            #expect(try receive(pair.second, &left) == [7])
            #expect(try openDescriptorCount() == before + 2)
        }
        #expect(try openDescriptorCount() == before)
        #expect(throws: FacilityError.self) { _ = try pair.first.send([1].span, with: [FileDescriptor(rawValue: Int32.max)]) }
    }

    @Test("K7 where this process may open no more, what could not come is an error, and none stays open")
    func limit() throws {
        let pair = try UnixStream.pair()
        let file = try MemoryFile.make(named: "a", size: 1)
        _ = try pair.first.send([9].span, with: [FileDescriptor](repeating: file.descriptor, count: 5))
        let before = try openDescriptorCount()
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // Numbers below are taken, but for two.
        var taken: [FileDescriptor] = []
        for _ in 0..<2 { taken.append(try file.descriptor.duplicate()) }
        var lower = limit
        lower.rlim_cur = rlim_t(taken[1].rawValue) + 1
        for number in taken { try number.close() }
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &lower)
        var came = ReceivedDescriptors()
        let error = Result { () throws(FacilityError) in try receive(pair.second, &came) }
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(throws: FacilityError.self) { _ = try error.get() }
        if case .failure(let error) = error { #expect(error.errno == .tooManyOpenFiles) }
        #expect(try openDescriptorCount() == before)
    }

    @Test("K7 every errno of sendmsg(2) and recvmsg(2) is told, with what to do")
    func errors() throws {
        let pair = try UnixStream.pair()
        expectEach(
            [
                .badFileDescriptor, .connectionReset, .invalidArgument, .noBufferSpace, .noMemory, .brokenPipe, .tooManyReferences,
                .messageTooLong,
            ],
            of: "sendmsg", .unixStream
        ) { () throws(FacilityError) in _ = try pair.first.send([1].span, with: []) }
        expectEach([.badFileDescriptor, .noMemory, .connectionReset], of: "recvmsg", .unixStream) { () throws(FacilityError) in
            var came = ReceivedDescriptors()
            _ = try receive(pair.first, &came)
        }
    }
}
