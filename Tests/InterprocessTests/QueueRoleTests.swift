import InterprocessSystem
import QueueTestSupport
import Synchronization
import SystemPackage
import Testing

@testable import Interprocess

extension QueueSuite {
    @Suite("roles") struct Roles {
        @Test("C1 a role has one holder at a time, however many try") func oneHolder() throws {
            let scratch = try Scratch()
            defer { scratch.removeNames() }
            let path = scratch.path
            let receiver = try Receiver<UInt64>(from: "q", options: scratch.options)
            let inside = Inside()
            let threads = try (0..<3).map { _ in
                try TestThread { () -> Int in
                    let options = QueueOptions(directory: ObjectDirectory(at: FilePath(path)), existence: .mustExist)
                    let segment = try QueueSegment.open("q", ElementDescription(of: UInt64.self), capacity: nil, options)
                    let role = Role.sender(QueueWords(segment.mapping))
                    var joined = 0
                    for _ in 0..<40_000 {
                        do throws(RoleHeld) {
                            let mine = try role.join(segment.peer, segment.attachment.table, isFinal: true).now
                            inside.enter()
                            joined += 1
                            inside.leave()
                            role.close(mine)
                        } catch {}
                    }
                    return joined
                }
            }
            let joined = try threads.map { try $0.join() }.reduce(0, +)
            #expect(inside.most == 1)
            #expect(joined > 1000)
            // Each has had a session of its own.
            let role = Role.sender(QueueWords(receiver.segment.mapping)).current
            #expect(role.session == UInt32(joined) & RoleWord.sessionMask)
        }

        @Test("C3 an end that was told by the next sender's record is not told again while that sender is silent") func toldOnce() throws {
            let scratch = try Scratch()
            var receiver = try Receiver<UInt64>(from: "q", options: scratch.options)
            for round in 0..<UInt64(4) {
                var sender = try Sender<UInt64>(to: "q", options: scratch.options)
                if round > 0 {
                    let end = try receiver.receive(until: soon)
                    #expect(end == nil)
                    let nothing = try receiver.tryReceive()
                    #expect(nothing == nil)
                }
                try sender.send(round)
                let message = try receiver.receive(until: soon)
                #expect(message == round)
                let nothing = try receiver.tryReceive()
                #expect(nothing == nil)
            }
        }
    }
}

/// How many are between `enter` and `leave`, and how many at most.
private final class Inside: Sendable {
    private let count = Atomic<Int>(0)
    private let maximum = Atomic<Int>(0)
    var most: Int { maximum.load(ordering: .sequentiallyConsistent) }
    func enter() { maximum.max(count.add(1, ordering: .sequentiallyConsistent).newValue, ordering: .sequentiallyConsistent) }
    func leave() { count.subtract(1, ordering: .sequentiallyConsistent) }
}
