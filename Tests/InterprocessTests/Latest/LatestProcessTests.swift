import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// A directory with one latest value, and the processes that use it.
struct LatestScene {
    let directory: TemporaryDirectory
    let place: LatestPlace

    init(_ kind: SyncPlace.Kind, _ directory: TemporaryDirectory? = nil) throws {
        self.directory = try directory ?? TemporaryDirectory()
        place = LatestPlace(kind, in: self.directory.objects)
    }

    func pairs(_ strategy: WaitStrategy = .park) throws -> LatestValue<SyncPair> { try place.open(SyncPair(repeating: 0), strategy) }

    func arguments(_ command: String, _ more: [String] = []) -> [String] { [command, directory.path.string, place.kind.rawValue] + more }

    func start(_ command: String, _ more: [String] = [], wrapper: [String] = []) throws -> PeerProcess {
        try PeerProcess(
            command, Array(arguments(command, more).dropFirst()), wrapper: wrapper, environment: ["SWIFT_BACKTRACE": "enable=no"])
    }

    /// A process that is in the middle of an update.
    func holder() throws -> PeerProcess {
        let holder = try start("latest-hold")
        try holder.says("holding")
        return holder
    }

    /// A process that waits for the first value, and is asleep.
    func sleeper() throws -> PeerProcess {
        let sleeper = try start("latest-sleep")
        try sleeper.says("waiting")
        try sleeper.becomesAsleep()
        return sleeper
    }
}

extension SizedLatest {
    /// Waits until a process has ended that has been told to. Who waits for changes looks for that after one only.
    func awaitEnd(of pid: Int32, _ server: PeerServer) throws -> String {
        for _ in 0..<600 {
            let ending = try server.wait(pid, .milliseconds(100))
            if ending != "running" { return ending }
            try change(patiently)
        }
        return "running"
    }
}

extension LatestSuite {
    @Suite("between processes") struct Processes {
        @Test(
            "C7 never torn: what readers of other processes load is whole, of every size, and its number never goes back",
            arguments: SyncPlace.Kind.allCases, SizedLatest.sizes)
        func torn(kind: SyncPlace.Kind, size: Int) throws {
            let server = try PeerServer()
            let watch = try HangWatch("never torn, \(size) bytes")
            defer { watch.end() }
            // One that stores from its own memory, or two that change it in its place.
            for writers in [["latest-store"], ["latest-change", "latest-change"]] {
                let scene = try LatestScene(kind)
                let record = try QueueRecord.create(in: scene.directory.objects)
                let latest = try SizedLatest(size, scene.place)
                let pids = try (writers + ["latest-read", "latest-read", "latest-wait"]).map {
                    try server.start(scene.arguments($0, ["\(size)"]))
                }
                let stores: UInt64 = size >= 1 << 20 ? 2000 : size >= 1 << 17 ? 4000 : 20_000
                var last: UInt64 = 0
                try eventuallyBlocking("\(stores) stores") {
                    last = try latest.load()
                    watch.step("\(last) of \(stores)")
                    return last >= stores || record.failure != nil
                }
                record[.stop] = 1
                for pid in pids { #expect(try latest.awaitEnd(of: pid, server) == "exited 0") }
                #expect(record.failure == nil, "\(record.failure ?? "")")
            }
        }

        @Test("C7 update: no change of four processes at once is lost", arguments: SyncPlace.Kind.allCases, [8, 4104])
        func updates(kind: SyncPlace.Kind, size: Int) throws {
            let server = try PeerServer()
            let scene = try LatestScene(kind)
            let record = try QueueRecord.create(in: scene.directory.objects)
            let latest = try SizedLatest(size, scene.place)
            let pids = try (0..<4).map { _ in try server.start(scene.arguments("latest-change", ["\(size)", "3000"])) }
            for pid in pids { #expect(try server.wait(pid, .seconds(120)) == "exited 0") }
            #expect(record.failure == nil, "\(record.failure ?? "")")
            // The value counts the changes, and is compared with its number.
            #expect(try latest.load() == 12_000)
        }

        @Test(
            "C7 L2 L3 a writer killed in the middle of an update: readers never notice, and the next writer goes on at once",
            arguments: SyncPlace.Kind.allCases)
        func killedWriter(kind: SyncPlace.Kind) throws {
            let scene = try LatestScene(kind)
            let latest = try scene.pairs()
            let sleeper = try scene.sleeper()
            for round in 0..<6 {
                let holder = try scene.holder()
                #expect(try latest.load()[0] == round && latest.sequence == UInt64(round))
                #expect(syncOutcome { "\(try latest.store([9, 9], until: .after(.milliseconds(2))))" } == "deadline")
                if round == 0 { #expect(try sleeper.takeLine() == nil, "nothing was stored") }
                let waiting = try TestThread { try latest.store([round + 1, round + 1], until: patiently) }
                holder.kill()
                #expect(try waiting.join() == UInt64(round + 1))
                #expect(try latest.load()[1] == round + 1, "of what the dead one wrote nothing is left")
            }
            try sleeper.says("got 1")
        }

        @Test("C7 L4 a stopped writer is not dead: others reach their deadline, readers read, and it goes on")
        func stopped() throws {
            let scene = try LatestScene(.named)
            let latest = try scene.pairs()
            let holder = try scene.holder()
            try holder.stop()
            #expect(syncOutcome { "\(try latest.store([9, 9], until: .after(.milliseconds(20))))" } == "deadline")
            #expect(try latest.load()[0] == 0)
            holder.signal(Signal.continue)
            try holder.send("go")
            try holder.says("stored")
            #expect(try latest.load()[1] == 1 && latest.segment.deathCount == 0)
        }

        @Test("C7 L4 a value was stored by one that is stopped before it wakes: the next who stores wakes")
        func stoppedBeforeWaking() throws {
            let scene = try LatestScene(.named)
            let latest = try scene.pairs()
            let sleeper = try scene.sleeper()
            #expect(latest.core.takeFree())
            _ = latest.words.publish(try #require(latest.words.begin()))
            latest.core.letGo()
            try sleeper.becomesAsleep()
            try latest.store([1, 1])
            try sleeper.says("got 1")
        }

        @Test("C7 readers never slow the writer: it stores while all of them are stopped or killed, wherever they are")
        func stoppedReaders() throws {
            let scene = try LatestScene(.placed)
            let record = try QueueRecord.create(in: scene.directory.objects)
            let latest = try SizedLatest(4104, scene.place)
            var readers = try (0..<3).map { _ in try scene.start("latest-read", ["4104"]) } + [scene.start("latest-wait", ["4104"])]
            for round in 0..<30 {
                for reader in readers { try reader.stop() }
                // Never later than at once: there is nobody to wait for.
                for _ in 0..<20 { try latest.change(.now) }
                for reader in readers { reader.signal(Signal.continue) }
                if round == 15 { readers.removeFirst().kill() }
            }
            #expect(try latest.load() == 600)
            record[.stop] = 1
            try eventuallyBlocking("the readers' end") {
                try latest.change(.now)
                return readers.allSatisfy { (try? processState($0.pid)).map { $0 == "Z" } ?? true }
            }
            #expect(record.failure == nil, "\(record.failure ?? "")")
        }

        @Test("C7 L1 a forked child is detached, also in the middle of an update, and changes nothing", arguments: SyncPlace.Kind.allCases)
        func forks(kind: SyncPlace.Kind) throws {
            let scene = try LatestScene(kind)
            let latest = try scene.pairs()
            let process = try scene.start("latest-fork")
            for call in ["load", "sequence", "store", "update", "wait"] { try process.says("\(call) detached") }
            try process.says("in the update detached")
            try process.says("stored 2")
            let version = try latest.loadVersioned()
            #expect(version.sequence == 2 && version.value[1] == 2)
        }

        @Test("C7 T1 ipc list shows what it is of")
        func listed() async throws {
            let tool = try ToolTests()
            let latest = try LatestValue(named: "position", initial: 5, options: SynchronizationOptions(directory: tool.directory.objects))
            let text = try await tool.ipc(["list"]).text
            #expect(text.contains("latest value of Int"), "\(text)")
            withExtendedLifetime(latest) {}
        }
    }
}
