import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K7 passing descriptors between programs", .serialized)
struct PassedProgramTests {
    private func receive(_ socket: borrowing UnixStream, _ came: inout ReceivedDescriptors) throws(FacilityError) -> Int {
        var bytes = [UInt8](repeating: 0, count: 99)
        var span = bytes.mutableSpan
        return try socket.receive(into: &span, with: &came)
    }

    @Test("K7 another program sends as many descriptors as may go, and the kernel takes not one more of it")
    func most() async throws {
        let pair = try UnixStream.pair()
        let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
        try await python.does("s = socket.socket(fileno=3)")
        let before = try openDescriptorCount()
        do {
            let most = ReceivedDescriptors.mostInOneMessage
            #expect(try await python.value(of: "refused(lambda: socket.send_fds(s, [b'x'], [0] * \(most + 1)))") == "22")
            try await python.does("socket.send_fds(s, [b'x'], [0] * \(most))")
            var came = ReceivedDescriptors()
            #expect(try receive(pair.first, &came) == 1)
            #expect(came.count == most)
        }
        #expect(try openDescriptorCount() == before)
    }

    @Test("K7 no more are on their way than a user without privileges may have open, until the other side receives some")
    func onTheirWay() async throws {
        let peer = try PeerProcess("descriptors-on-their-way")
        // The limit is 30; the kernel looks before it counts the next.
        let count = try #require(Int(try await peer.line()))
        #expect((1...31).contains(count))
        let refusal = try await peer.line()
        #expect(refusal.hasPrefix("errno \(Errno.tooManyReferences.rawValue);") && refusal.contains("let the other side receive some"))
        try await peer.expect("again")
    }

    @Test("K7 what a program has sent before it was killed comes, and stays open here")
    func killedSender() async throws {
        let pair = try UnixStream.pair()
        let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
        try await python.does("r, w = os.pipe(); os.write(w, b'last'); socket.send_fds(socket.socket(fileno=3), [b'x'], [r])")
        try await python.isKilled()
        var came = ReceivedDescriptors()
        #expect(try receive(pair.first, &came) == 1)
        guard let file = came.takeFirst() else { throw Errno.badFileDescriptor }
        let reader = PipeReader(owning: file.release())
        #expect(text(try blockingRead(reader, 9)) == "last")
        #expect(try blockingRead(reader, 9) == [], "its own writing end went with it")
    }

    @Test("K7 what is on its way to a program that is killed is closed by the kernel; sending more is an error")
    func killedReceiver() async throws {
        let pair = try UnixStream.pair()
        let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
        try await python.does("pass")
        let socket = try pair.keepFirst()
        let pipe = try Pipe()
        #expect(try socket.send([1].span, with: [pipe.writing.descriptor]) == 1)
        let reader = try pipe.keepReading()
        #expect(try tryRead(reader, 9) == nil, "it is open on its way")
        try await python.isKilled()
        #expect(try blockingRead(reader, 9, until: .after(watchdog)) == [])
        let gone = #expect(throws: FacilityError.self) { _ = try socket.send([1].span, with: [reader.descriptor]) }
        #expect(gone?.isOtherSideGone == true)
    }

    @Test("K7 who waits for a descriptor is released when another program sends one, and by its death")
    func released() async throws {
        let pair = try UnixStream.pair()
        let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
        try await python.does("s = socket.socket(fileno=3)")
        let socket = try pair.keepFirst()
        var came = ReceivedDescriptors()
        try python.releases(by: "socket.send_fds(s, [b'abc'], [0, 1])")
        #expect(try receive(socket, &came) == 3)
        #expect(came.count == 2)
        try await python.isDone()
        try python.releases(by: "die()")
        #expect(try receive(socket, &came) == 0)
        #expect(came.count == 2)
    }
}
