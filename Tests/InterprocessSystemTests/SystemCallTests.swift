import SystemPackage
import Testing

@testable import InterprocessSystem

@Suite("One system call")
struct SystemCallTests {
    @Test("a negative result is its errno")
    func errno() {
        #expect(throws: Errno.badFileDescriptor) { try FileStatus(of: FileDescriptor(rawValue: -1)) }
        #expect(throws: Errno.notDirectory) { _ = try Directory(opening: "/proc/self/exe") }
    }

    @Test("an interrupted call is made again, unless asked otherwise")
    func interrupted() throws {
        var calls = 0
        let result = try systemCall("test") {
            calls += 1
            return calls < 3 ? -Int(Errno.interrupted.rawValue) : 7
        }
        #expect(result == 7)
        #expect(calls == 3)
        #expect(throws: Errno.interrupted) { try systemCall("test", retryOnInterrupt: false) { -Int(Errno.interrupted.rawValue) } }
    }

    @Test("a fault is thrown once, instead of the call, after the skipped ones")
    func fault() throws {
        var calls = 0
        let call = { () throws(Errno) in
            try systemCall("faulty") {
                calls += 1; return 0
            }
        }
        try SystemCallFaults.withFault("faulty", .noSpace, afterSkipping: 1) {
            _ = try call()
            #expect(calls == 1)
            #expect(throws: Errno.noSpace) { _ = try call() }
            #expect(calls == 1, "the call was made though it was to fail")
            _ = try call()
            #expect(calls == 2)
        }
        _ = try call()
    }

    @Test("a fault is for one name, and over when its scope ends")
    func faultScope() throws {
        let other = try SystemCallFaults.withFault("one", .ioError) { () throws(Errno) in try systemCall("other") { 1 } }
        #expect(other == 1)
        #expect(try systemCall("one") { 2 } == 2)
    }

    @Test("a forced interruption is retried as a real one")
    func faultInterrupted() throws {
        let result = try SystemCallFaults.withFault("interrupted once", .interrupted) { () throws(Errno) in
            try systemCall("interrupted once") { 3 }
        }
        #expect(result == 3)
    }

    @Test("a fault is for one thread")
    func faultThread() async throws {
        let other = OtherThread()
        try SystemCallFaults.withFault("fault of a thread", .ioError) {
            let result = try other.run { (try? systemCall("fault of a thread") { 5 }) ?? -1 }
            #expect(result == 5)
        }
    }

    @Test("a read and a write that find nothing to do wait for it, and lose no byte")
    func waiting() throws {
        let pipe = try Pipe()
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0) }
        try SystemCallFaults.withFault("write", .resourceTemporarilyUnavailable) {
            try unsafe bytes.withUnsafeBytes { try unsafe pipe.writing.descriptor.writeAllWaiting($0) }
            #expect(!SystemCallFaults.isPending)
        }
        var found = [UInt8](repeating: 0, count: 20_000)
        let count = try SystemCallFaults.withFault("read", .resourceTemporarilyUnavailable) {
            try unsafe found.withUnsafeMutableBytes { try unsafe pipe.reading.descriptor.readWaiting(into: $0) }
        }
        #expect(found[..<count].elementsEqual(bytes))
        #expect(throws: Errno.ioError) {
            try SystemCallFaults.withFault("read", .ioError) {
                _ = try unsafe found.withUnsafeMutableBytes { try unsafe pipe.reading.descriptor.readWaiting(into: $0) }
            }
        }
    }
}
