import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// Ids and counts, as "ID:COUNT".
func text(_ notifications: [SharedNotifier.Notification]) -> String { notifications.map { "\($0.id):\($0.count)" }.joined(separator: " ") }

extension SyncSuite {
    @Suite("notifier") struct Notifiers {
        private func make(_ directory: TemporaryDirectory, ids: Int = 200) throws -> SharedNotifier {
            try NotifierAccount.notifier(in: directory.objects, ids: ids)
        }

        @Test("C8 each listener gets every notification that came since it last looked, once for each id, with its count")
        func coalescing() throws {
            let directory = try TemporaryDirectory()
            let notifier = try make(directory)
            try notifier.notify(7)
            let first = notifier.listen(), second = notifier.listen()
            #expect(try first.poll().isEmpty, "what came before it listens is not news")
            try notifier.notify(3)
            try notifier.notify(199, count: 5)
            try notifier.notify(3)
            try notifier.notify(64, count: 0)
            #expect(try text(first.wait()) == "3:2 199:5")
            #expect(try first.poll().isEmpty)
            try notifier.notify(3)
            #expect(try text(first.wait()) == "3:1")
            #expect(try text(second.poll()) == "3:3 199:5", "a listener that came late to look has lost nothing")
            #expect(syncOutcome { text(try second.wait(until: .after(.milliseconds(2)))) } == "deadline")
        }

        @Test("C8 a listener to some ids gets and is woken by those alone; ids that are not there are refused")
        func some() throws {
            let directory = try TemporaryDirectory()
            let notifier = try make(directory)
            let listener = try notifier.listen(to: [5, 130])
            for id in [4, 5, 6, 130, 131] { try notifier.notify(id) }
            #expect(try text(listener.poll()) == "5:1 130:1")
            try notifier.notify(6)
            #expect(syncOutcome { text(try listener.wait(until: .after(.milliseconds(2)))) } == "deadline")
            #expect(
                syncOutcome {
                    _ = try notifier.listen(to: [200]); return "got"
                } == "impossible")
            #expect(
                syncOutcome {
                    try notifier.notify(-1); return "got"
                } == "impossible")
            #expect(
                syncOutcome {
                    try notifier.notify(200); return "got"
                } == "impossible")
            #expect(
                syncOutcome {
                    try notifier.notify(2, count: -1); return "got"
                } == "impossible")
        }

        @Test("C8 4,096 ids; another number of ids is refused, and so is none")
        func sizes() throws {
            let directory = try TemporaryDirectory()
            let notifier = try make(directory, ids: SharedNotifier.maximumIDs)
            let listener = notifier.listen()
            for id in stride(from: 4095, through: 0, by: -1) { try notifier.notify(id, count: id + 1) }
            let found = try listener.wait()
            #expect(found.map(\.id) == Array(0..<4096) && found.allSatisfy { $0.count == $0.id + 1 })
            for (ids, code) in [(64, InterprocessError.Code.sizeMismatch), (0, .invalidArgument), (4097, .invalidArgument)] {
                #expect(
                    openFailure { () throws(InterprocessError) in
                        _ = try SharedNotifier(named: "notifier", ids: ids, options: SynchronizationOptions(directory: directory.objects))
                    }?.code == code)
            }
        }

        @Test("C8 a notifier's footprint is what its documentation says", arguments: [1, 64, 65, 4096])
        func footprint(_ ids: Int) throws {
            let size = 128 + (ids + 63) / 64 * 576
            #expect(SharedNotifier.byteCount(ids: ids) == size)
            let directory = try TemporaryDirectory()
            let header = try make(directory, ids: ids).segment.header
            #expect(header.size == 8192 + (size + 4095) / 4096 * 4096 && header.reservedSize == header.size)
        }

        @Test("C8 a notifier stands in a segment of the user's, also where a maker died half-way")
        func placed() throws {
            let directory = try TemporaryDirectory()
            let size = SharedNotifier.byteCount(ids: 100)
            #expect(size == 128 + 2 * 576)
            let segment = try Segment.create("place", size: 64 + size, in: directory.objects)
            #expect(
                openFailure { () throws(InterprocessError) in _ = try SharedNotifier(in: segment, at: 128, ids: 100) }?.code
                    == .sizeMismatch)
            // As somebody left it that is gone, who had named itself.
            unsafe segment.withBytes { bytes in
                for offset in stride(from: 64 + 128, to: 64 + size, by: 8) {
                    unsafe bytes.storeBytes(of: 99, toByteOffset: offset, as: UInt64.self)
                }
                unsafe bytes.storeBytes(of: beingMade(by: segment.peer), toByteOffset: 64, as: UInt64.self)
            }
            let dead = try PeerProcess("attach", [directory.path.string, "place"])
            try eventuallyBlocking("it has joined") { segment.peers.contains { $0.pid == dead.pid } }
            let maker = try #require(segment.peers.first { $0.pid == dead.pid }).id
            unsafe segment.withBytes { unsafe $0.storeBytes(of: beingMade(by: maker), toByteOffset: 64, as: UInt64.self) }
            dead.kill()
            let notifier = try SharedNotifier(in: segment, at: 64, ids: 100)
            #expect(notifier.words.count(of: 3).loadAcquire() == 0 && notifier.words.changes(ofGroup: 1).loadAcquire() == 0)
            let listener = notifier.listen()
            try notifier.notify(99)
            #expect(try text(listener.wait()) == "99:1")
        }

        @Test("C8 a notifier and a listener in two processes: asleep, it is woken; deadlines, and the strategies")
        func processes() throws {
            let directory = try TemporaryDirectory()
            let notifier = try make(directory, ids: NotifierAccount.ids)
            let all = try PeerProcess("notifier-listen", [directory.path.string])
            let some = try PeerProcess("notifier-listen", [directory.path.string, "9", "100"])
            for process in [all, some] { try process.says("waiting") }
            for round in 1...50 {
                for process in [all, some] { try process.becomesAsleep() }
                try notifier.notify(9, count: round)
                for process in [all, some] { try process.says("9:\(round)") }
                try notifier.notify(10)
                try all.says("10:1")
            }
            #expect(try some.takeLine() == nil)
        }

        @Test("C8 C1 asynchronous: a sequence of notifications, deadline, cancellation")
        func asynchronous() async throws {
            let directory = try TemporaryDirectory()
            let notifier = try blocking { try make(directory) }
            let listener = notifier.listen()
            var outcome = ""
            do { _ = try await listener.wait(until: .after(.milliseconds(2))) } catch { outcome = "\(error)" }
            #expect(outcome == "\(WaitError.deadline)")
            let ids = Task {
                var ids: [Int] = []
                for try await notification in notifier.listen().notifications() {
                    ids.append(notification.id)
                    if ids.count == 3 { break }
                }
                return ids
            }
            // It begins to listen when it likes.
            let isOver = Task {
                while !Task.isCancelled {
                    for id in [1, 70, 150] { try notifier.notify(id) }
                    try await Task.sleep(for: .milliseconds(1))
                }
            }
            #expect(Set(try await ids.value).isSubset(of: [1, 70, 150]))
            isOver.cancel()
            _ = try? await isOver.value
            for _ in 0..<20 {
                let quiet = notifier.listen()
                let waiting = Task { () -> WaitError? in
                    do throws(WaitError) {
                        for try await _ in quiet.notifications() {}
                        return nil
                    } catch { return error }
                }
                try await Task.sleep(for: .microseconds(500))
                waiting.cancel()
                #expect(await waiting.value == .cancelled)
            }
        }
    }
}
