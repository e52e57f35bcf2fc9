import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K3 System V shared memory")
struct SystemVSharedMemoryTests {
    private let key = SystemVKey.random()

    private func withMemory(_ size: Int = 5000, _ body: (SystemVSharedMemory) async throws -> Void) async throws {
        let memory = try SystemVSharedMemory.create(key, size: size)
        try await removing({ try memory.remove() }, after: { try await body(memory) })
    }

    private static let python =
        SystemVPython.prelude + """
            lib.shmat.restype = ctypes.c_void_p
            memory = check(lib.shmget(int(sys.argv[1]), 0, 0))
            place = lib.shmat(memory, None, 0)
            say('ready', memory)
            for line in sys.stdin:
                word = line.split()
                if word[0] == 'put':
                    ctypes.memmove(place + int(word[1]), word[2].encode(), len(word[2]))
                    say('put')
                else: say(ctypes.string_at(place + int(word[1]), int(word[2])).decode())
            """

    @Test("K3 another program writes and reads the same bytes; its death detaches it, and they stay")
    func purpose() async throws {
        try await withMemory { memory in
            let attached = try memory.attach(), watched = try memory.attachReadOnly()
            #expect(attached.byteCount == 5000 && watched.byteCount == 5000)
            let python = try PeerProcess(python: Self.python, ["\(key.rawValue)"])
            try await python.expect("ready \(memory.identifier)")
            let attachments = try memory.status().attachments
            #expect(attachments == 3)
            let lastProcess = try memory.status().lastProcess
            #expect(lastProcess == python.pid)
            try python.send("put 4995 hello")
            try await python.expect("put")
            #expect(unsafe watched.withUnsafeBytes { unsafe String(decoding: $0[4995...], as: UTF8.self) } == "hello")
            unsafe attached.withUnsafeMutableBytes { bytes in unsafe bytes[100..<103].copyBytes(from: Array("abc".utf8)) }
            try python.send("get 100 3")
            try await python.expect("abc")
            python.kill()
            _ = try await python.ending()
            let left = try memory.status().attachments
            #expect(left == 2)
            #expect(unsafe watched.withUnsafeBytes { unsafe $0[4995] } == UInt8(ascii: "h"))
        }
    }

    @Test("K3 a piece is made once, found by key and by number, and goes when it is removed and the last has detached")
    func names() async throws {
        let missing = #expect(throws: FacilityError.self) { _ = try SystemVSharedMemory.open(key) }
        #expect(missing?.errno == .noSuchFileOrDirectory && missing?.object == key.description)
        let memory = try SystemVSharedMemory.create(key, size: 10)
        let taken = #expect(throws: FacilityError.self) { _ = try SystemVSharedMemory.create(key, size: 10) }
        #expect(taken?.errno == .fileExists)
        #expect(try SystemVSharedMemory.openOrCreate(key, size: 5) == memory)
        #expect(try SystemVSharedMemory.open(key, minimumSize: 10) == memory)
        for size in [11, Int.max] {
            let larger = #expect(throws: FacilityError.self) { _ = try SystemVSharedMemory.open(key, minimumSize: size) }
            #expect(larger?.errno == .invalidArgument)
        }
        do {
            let attached = try memory.attach()
            unsafe attached.withUnsafeMutableBytes { unsafe $0[9] = 7 }
            try memory.remove()
            #expect(throws: FacilityError.self) { _ = try SystemVSharedMemory.open(key) }
            let beside = try SystemVSharedMemory(identifier: memory.identifier).attach()
            #expect(unsafe beside.withUnsafeMutableBytes { unsafe $0[9] } == 7)
            let attachments = try memory.status().attachments
            #expect(attachments == 2)
        }
        let gone = #expect(throws: FacilityError.self) { _ = try memory.status() }
        #expect(gone?.errno == .invalidArgument || gone?.errno == .identifierRemoved)
    }

    @Test("K3 a piece of nothing, and one of more than the kernel allows, are refused")
    func boundaries() throws {
        for size in [0, -1] {
            let error = #expect(throws: FacilityError.self) { _ = try SystemVSharedMemory.create(key, size: size) }
            #expect(error?.errno == .invalidArgument && error?.advice.contains("kernel.shmmax") == true)
        }
        #expect(throws: FacilityError.self) { _ = try SystemVSharedMemory.create(key, size: .max) }
        #expect(throws: FacilityError.self) { _ = try SystemVSharedMemory.open(key) }
    }

    @Test("K3 every errno of the shm calls is told, with what to do; an attachment that fails leaves nothing attached")
    func errors() async throws {
        try await withMemory { memory in
            expectEach(
                [
                    .permissionDenied, .fileExists, .invalidArgument, .tooManyOpenFilesInSystem, .noSuchFileOrDirectory, .noMemory,
                    .noSpace, .notPermitted,
                ],
                of: "shmget", .systemVSharedMemory
            ) { () throws(FacilityError) in _ = try SystemVSharedMemory.open(key) }
            expectEach([.permissionDenied, .identifierRemoved, .invalidArgument, .noMemory], of: "shmat", .systemVSharedMemory) {
                () throws(FacilityError) in _ = try memory.attach()
            }
            let controlling: [Errno] = [.permissionDenied, .badAddress, .identifierRemoved, .invalidArgument]
            expectEach(controlling, of: "shmctl(IPC_STAT)", .systemVSharedMemory) { () throws(FacilityError) in _ = try memory.attach() }
            expectEach(controlling + [.notPermitted], of: "shmctl(IPC_RMID)", .systemVSharedMemory) { () throws(FacilityError) in
                try memory.remove()
            }
            let attachments = try memory.status().attachments
            #expect(attachments == 0)
        }
    }
}
