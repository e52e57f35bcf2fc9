import Glibc
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// A directory with one variable, and the processes that use it.
struct VariableScene {
    let directory: TemporaryDirectory
    let place: VariablePlace

    init(_ kind: SyncPlace.Kind) throws {
        directory = try TemporaryDirectory()
        place = VariablePlace(kind, in: directory.objects)
    }

    func pairs(_ strategy: WaitStrategy = .park) throws -> SharedVariable<SyncPair> { try place.open(SyncPair.self, nil, strategy) }

    func start(_ command: String, _ more: [String] = []) throws -> PeerProcess {
        try PeerProcess(
            command, [directory.path.string, place.kind.rawValue] + more, environment: ["SWIFT_BACKTRACE": "enable=no"])
    }

    /// A process that is in the middle of a change, or of a look.
    func holder(_ what: String = "modify") throws -> PeerProcess {
        let holder = try start("variable-hold", [what])
        try holder.says("holding")
        return holder
    }

    /// A process that waits to put, take, read or modify, and is asleep.
    func sleeper(_ what: String, _ number: Int = 1) throws -> PeerProcess {
        let sleeper = try start("variable-sleep", [what, "\(number)"])
        try sleeper.says("waiting")
        try sleeper.becomesAsleep()
        return sleeper
    }
}

extension VariableSuite {
    @Suite("between processes") struct Processes {
        @Test("V2 first come, first served: sleeping takers get what is put in the order in which they came, sleeping putters put so")
        func order() throws {
            let scene = try VariableScene(.named)
            let variable = try scene.pairs()
            let takers = try (0..<4).map { _ in try scene.sleeper("take") }
            for (number, taker) in takers.enumerated() {
                try variable.put([number, number])
                try taker.says("got \(number)")
            }
            try variable.put([100, 0])
            let putters = try (0..<4).map { try scene.sleeper("put", $0) }
            for number in [100, 0, 1, 2, 3] {
                #expect(try variable.take(until: patiently)[0] == number)
                if number < 3 { try putters[number == 100 ? 0 : number + 1].says("put") }
            }
        }

        @Test(
            "V2 nobody starves: one that takes gets it while two others take it and put it back without a pause",
            arguments: SyncPlace.Kind.allCases)
        func greed(kind: SyncPlace.Kind) throws {
            let scene = try VariableScene(kind)
            let watch = try HangWatch("greed for a variable, \(kind)", limit: watchdog)
            defer { watch.end() }
            let rounds = try Segment.create("rounds", size: 64, in: scene.directory.objects)
            let counter = unsafe rounds.withBytes { unsafe SharedUInt32(at: $0.baseAddress!) }
            let variable = try scene.pairs()
            try variable.put([0, 0])
            let greedy = try (0..<2).map { _ in try scene.start("variable-greedy") }
            for process in greedy { try process.says("ready") }
            try eventuallyBlocking("both are at it") { counter.loadAcquire() > 100 }
            let before = counter.loadAcquire()
            var times: UInt32 = 0
            while times < 100 || counter.loadAcquire() &- before < 1000 {
                times += 1
                watch.step("time \(times)")
                try variable.put(variable.take())
            }
            print("greed for a variable, \(kind): overtaken \((counter.loadAcquire() &- before) / times) times on average")
        }

        @Test("V1 a put wakes all readers, who get it though a taker takes it first, and one taker", arguments: SyncPlace.Kind.allCases)
        func readers(kind: SyncPlace.Kind) throws {
            let scene = try VariableScene(kind)
            let variable = try scene.pairs()
            for round in 1...3 {
                let taker = try scene.sleeper("take")
                let readers = try (0..<3).map { _ in try scene.sleeper("read") }
                let second = try scene.sleeper("take")
                try variable.put([round, round])
                try taker.says("got \(round)")
                for reader in readers { try reader.says("got \(round)") }
                #expect(try variable.isEmpty && second.takeLine() == nil, "one value for one taker")
                try variable.put([round + 10, 0])
                try second.says("got \(round + 10)")
            }
        }

        @Test("V2 L2 L3 sleepers of each kind, killed while they sleep and as they are woken: the others come through")
        func sleepers() throws {
            for round in 0..<8 {
                let scene = try VariableScene(round % 2 == 0 ? .named : .placed)
                let variable = try scene.pairs()
                let all = try ["take", "take", "read", "read", "take"].map { try scene.sleeper($0) }
                all[0].kill()
                all[2].kill()
                try variable.put([round, round])
                all[1].kill()
                try all[3].says("got \(round)")
                // Taken by the one that is left, unless the second had it before it died: then the last one gets another.
                try all[1].ends()
                _ = try variable.tryPut([round, round])
                try all[4].says("got \(round)")
                _ = try variable.tryTake()
                try variable.put([1, 1])
                let putters = try (0..<3).map { _ in try scene.sleeper("put", 7) }
                putters[0].kill()
                #expect(try variable.take()[0] == 1)
                putters[1].kill()
                try putters[1].ends()
                var taken = 0
                try eventuallyBlocking("the last one has put, and it was taken") {
                    if let value = try variable.tryTake() {
                        taken += value[0] == 7 ? 1 : 100
                        return false
                    }
                    return try taken > 0 && putters[2].takeLine() == "put"
                }
                #expect(taken <= 2)
            }
        }

        @Test(
            "V2 L2 L3 killed in the middle of a change or of a look: the value is as it was, and the next one goes on at once",
            arguments: SyncPlace.Kind.allCases, ["modify", "look"])
        func killedHolder(kind: SyncPlace.Kind, what: String) throws {
            let scene = try VariableScene(kind)
            let variable = try scene.pairs()
            try variable.put([5, 5])
            for waiting in ["take", "modify", "take"] {
                let holder = try scene.holder(what)
                #expect(try variable.read()[0] == 5 && !variable.isEmpty)
                #expect(variableError { _ = try variable.take(until: .after(.milliseconds(2))) } == .deadline)
                let sleeper = try scene.sleeper(waiting, 0)
                holder.kill()
                try sleeper.says(waiting == "take" ? "got 5" : "changed")
                if waiting == "take" { try variable.put([5, 5], until: patiently) }
                #expect(try variable.read()[1] == 5)
            }
            if kind == .named {
                let holder = try scene.holder(what)
                let deaths = variable.segment.deathCount
                holder.kill()
                try eventuallyBlocking("the notice") { variable.segment.deathCount > deaths }
            }
        }

        @Test("V2 L4 a process that is stopped in the middle of a change is not dead: others reach their deadline, read, and it goes on")
        func stopped() throws {
            let scene = try VariableScene(.named)
            let variable = try scene.pairs()
            try variable.put([5, 5])
            let holder = try scene.holder()
            try holder.stop()
            #expect(variableError { _ = try variable.take(until: .after(.milliseconds(20))) } == .deadline)
            #expect(try variable.read()[1] == 5)
            holder.signal(Signal.continue)
            try holder.send("go")
            try holder.says("changed")
            #expect(try variable.take()[1] == 6 && variable.segment.deathCount == 0)
        }

        @Test("V2 L1 a forked child is detached, also in the middle of a change, and changes nothing", arguments: SyncPlace.Kind.allCases)
        func forks(kind: SyncPlace.Kind) throws {
            let scene = try VariableScene(kind)
            let variable = try scene.pairs()
            try variable.put([1, 1])
            let process = try scene.start("variable-fork")
            for call in ["put", "take", "read", "try", "swap", "modify", "look"] { try process.says("\(call) detached") }
            try process.says("in the change detached")
            try process.says("changed 2")
            #expect(try variable.take()[1] == 2)
        }

        @Test("V1 T1 ipc list shows what it is of")
        func listed() async throws {
            let tool = try ToolTests()
            let variable = try SharedVariable<Int>(named: "job", options: SynchronizationOptions(directory: tool.directory.objects))
            let text = try await tool.ipc(["list"]).text
            #expect(text.contains("variable of Int"), "\(text)")
            let who = try await tool.ipc(["who", "job"]).text
            #expect(who.contains("\(getpid())"), "\(who)")
            withExtendedLifetime(variable) {}
        }
    }
}
