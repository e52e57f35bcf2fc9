import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    @Suite("placed objects") struct Placed {
        private static let count = 200
        private static let bytes = (count + 1) * SyncField.stride

        private func open(_ field: Segment) {
            unsafe field.withBytes { unsafe SharedUInt32(at: $0.baseAddress! + Self.count * SyncField.stride).storeRelease(1) }
        }

        private func value(_ field: Segment, _ index: Int) throws -> SyncPair {
            try SharedMutex<SyncPair>(in: field, at: index * SyncField.stride, initial: SyncField.initial).withLock(until: patiently) { $0 }
        }

        @Test("S1–S8 N1 many processes make the same objects at once: each is made once")
        func race() throws {
            let scene = try SyncScene(.placed)
            let server = try PeerServer()
            let watch = try HangWatch("making objects at once")
            defer { watch.end() }
            for round in 0..<5 {
                watch.step("round \(round)")
                let field = try Segment.create("field", size: Self.bytes, in: scene.directory.objects)
                let pids = try (0..<8).map { _ in
                    try server.start(["sync-make", scene.directory.path.string, "placed", "\(Self.count)"])
                }
                try eventuallyBlocking("all are there") { field.peers.count == pids.count + 1 }
                open(field)
                for pid in pids { #expect(try server.wait(pid, .seconds(60)) == "exited 0") }
                for index in 0..<Self.count {
                    let pair = try value(field, index)
                    #expect(pair[0] == SyncField.initial[0] + pids.count && pair[1] == pair[0], "the object at \(index)")
                }
                _ = try scene.directory.objects.remove("field")
            }
        }

        @Test("S1–S8 L3 a maker killed at a random moment: the next one finds a whole object, or makes it")
        func killed() throws {
            var random = SeededRandom(for: "makers killed")
            let scene = try SyncScene(.placed)
            let server = try PeerServer()
            let watch = try HangWatch("makers killed")
            defer { watch.end() }
            let rounds = SeededRandom.setting("IPC_SYNC_KILLS", default: 400) / 4
            for round in 0..<rounds {
                watch.step("round \(round)")
                let field = try Segment.create("field", size: Self.bytes, in: scene.directory.objects)
                let pids = try (0..<2).map { _ in
                    try server.start(["sync-make", scene.directory.path.string, "placed", "\(Self.count)"])
                }
                try eventuallyBlocking("both are there") { field.peers.count == pids.count + 1 }
                open(field)
                sleepThread(for: .microseconds(Int.random(in: 0...400, using: &random)))
                try server.kill(pids[0])
                let left = try server.wait(pids[1], .seconds(60))
                // The other may have found an object that the killed one had in its hands.
                #expect(left == "exited 0" || left == "exited 1", "\(left)")
                for index in 0..<Self.count {
                    let mutex = try SharedMutex<SyncPair>(in: field, at: index * SyncField.stride, initial: SyncField.initial)
                    _ = try mutex.repair(until: patiently) { pair, _ in pair[1] = pair[0] }
                    let pair = try mutex.withLock(until: patiently) { $0 }
                    #expect(
                        (0...2).contains(pair[0] - SyncField.initial[0]) && pair[0] == pair[1],
                        "the object at \(index): \(pair[0]) \(pair[1])")
                }
                _ = try scene.directory.objects.remove("field")
            }
        }

        @Test("S1–S8 L3 a maker that died at any point of it, and one that is stopped there")
        func stages() throws {
            let scene = try SyncScene(.placed)
            let field = try Segment.create("field", size: Self.bytes, in: scene.directory.objects)
            // As a maker leaves it that was killed after it had named itself, with any of the rest written.
            let other = try PeerProcess("attach", [scene.directory.path.string, "field"])
            try eventuallyBlocking("it has joined") { field.peers.count == 2 }
            let peer = try #require(field.peers.first { $0.pid == other.pid }).id
            _ = try other.next()
            unsafe field.withBytes { bytes in
                for offset in stride(from: 40, to: 128, by: 4) {
                    unsafe bytes.storeBytes(of: 0xa5a5_a5a5, toByteOffset: offset, as: UInt32.self)
                }
                unsafe bytes.storeBytes(of: beingMade(by: peer), toByteOffset: 0, as: UInt64.self)
            }
            let opening = try TestThread { try SharedMutex<SyncPair>(in: field, at: 0, initial: SyncField.initial).withLock { $0[0] } }
            sleepThread(for: .milliseconds(5))
            #expect(try opening.resultNow() == nil, "the maker lives")
            other.kill()
            #expect(try opening.join() == SyncField.initial[0])
            // What is no maker's is not written over.
            unsafe field.withBytes { unsafe $0.storeBytes(of: 7, toByteOffset: SyncField.stride, as: UInt32.self) }
            let refusal = openFailure { () throws(InterprocessError) in
                _ = try SharedMutex<SyncPair>(in: field, at: SyncField.stride, initial: SyncField.initial)
            }
            #expect(refusal?.code == .kindMismatch)
            #expect(unsafe field.withBytes { unsafe $0.load(fromByteOffset: SyncField.stride, as: UInt32.self) } == 7)
            // Nor a number of the user's that a peer happens to have, of those that have gone: nothing says that it makes anything.
            for offset in stride(from: 0, to: SyncField.stride, by: 4) {
                unsafe field.withBytes {
                    unsafe $0.storeBytes(of: peer.rawValue &+ UInt32(offset), toByteOffset: SyncField.stride + offset, as: UInt32.self)
                }
            }
            let users = openFailure { () throws(InterprocessError) in
                _ = try SharedMutex<SyncPair>(in: field, at: SyncField.stride, initial: SyncField.initial)
            }
            #expect(users?.code == .kindMismatch)
            #expect(unsafe field.withBytes { unsafe $0.load(fromByteOffset: SyncField.stride, as: UInt32.self) } == peer.rawValue)
            // A maker that is stopped is not waited for without end.
            let stopped = try PeerProcess("attach", [scene.directory.path.string, "field"])
            try eventuallyBlocking("it has joined") { field.peers.contains { $0.pid == stopped.pid } }
            let maker = try #require(field.peers.first { $0.pid == stopped.pid }).id
            unsafe field.withBytes { unsafe $0.storeBytes(of: beingMade(by: maker), toByteOffset: 2 * SyncField.stride, as: UInt64.self) }
            let patience = openFailure { () throws(InterprocessError) in
                _ = try SharedMutex<SyncPair>(in: field, at: 2 * SyncField.stride, initial: SyncField.initial)
            }
            #expect(patience?.code == .busy)
        }
    }
}
