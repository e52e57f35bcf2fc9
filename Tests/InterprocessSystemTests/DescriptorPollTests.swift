import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("Polled descriptors")
struct DescriptorPollTests {
    @Test("C9 there may be more of them than the process may have descriptors")
    func many() throws {
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let pipe = try Pipe()
        // So large a number would take long.
        let count = min(Int(limit.rlim_cur), 1 << 20) + 1
        var all = [PolledDescriptor](repeating: PolledDescriptor(pipe.reading.descriptor, for: .reading), count: count)
        try all.poll(waits: false)
        #expect(all.allSatisfy { $0.state == .idle })
        try blockingWrite(pipe.writing, [1])
        try all.poll(waits: false)
        #expect(all.allSatisfy { $0.state == .ready })
    }

    @Test("C9 what is wanted twice of one descriptor is told apart")
    func both() throws {
        let pair = try UnixStream.pair()
        let other = pair.second.descriptor, one = pair.first.descriptor
        var all = [
            PolledDescriptor(one, for: .reading), PolledDescriptor(one, for: .writing),
            PolledDescriptor(FileDescriptor(rawValue: 99_999), for: .writing),
        ]
        try all.poll(waits: false)
        #expect(all.map(\.state) == [.idle, .ready, .notOpen])
        _ = try fill(pair.first, [UInt8](repeating: 1, count: 4096))
        try all.poll(waits: false)
        #expect(all.map(\.state) == [.idle, .idle, .notOpen])
        _ = try other.writeAll([1])
        try all.poll(waits: true)
        #expect(all.map(\.state) == [.ready, .idle, .notOpen])
    }
}
