import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// The tests of the shared variable: one after the other, since many of them block the thread that they run on.
@Suite("Shared variable", .serialized) enum VariableSuite {}

/// The error of `body`; nil if it came to its end.
func variableError(_ body: () throws -> Void) -> WaitError? {
    do {
        try body()
        return nil
    } catch {
        return error as? WaitError
    }
}

extension VariableSuite {
    @Suite("in one process") struct Local {
        private let directory: TemporaryDirectory
        private var options: SynchronizationOptions { SynchronizationOptions(directory: directory.objects) }
        init() throws { directory = try TemporaryDirectory() }

        private struct Wide: Shareable { var vector = SIMD8<Double>() }
        private struct Job: Shareable { var number: UInt32 = 0, priority: Float = 0 }

        private func open(_ initial: Int? = nil, _ strategy: WaitStrategy = .park) throws -> SharedVariable<Int> {
            try SharedVariable(named: "v", initial: initial, options: options, strategy: strategy)
        }

        @Test("V1 put, take, read, swap, modify and withValue, through every opening of it", arguments: SyncPlace.Kind.allCases)
        func basics(kind: SyncPlace.Kind) throws {
            let place = VariablePlace(kind, in: directory.objects)
            let variable = try place.open(Job.self)
            let other = try place.open(Job.self, Job(number: 9))
            #expect(variable.isEmpty && other.isEmpty, "one that is there stays as it is")
            for number in 1...9 as ClosedRange<UInt32> {
                try variable.put(Job(number: number))
                #expect(!other.isEmpty)
                #expect(try other.read().number == number && other.read().number == number, "reading takes nothing")
                #expect(try other.swap(Job(number: number + 100)).number == number)
                let result = try variable.modify { job in
                    job.priority = 1
                    return job.number
                }
                #expect(result == number + 100)
                #expect(try other.withValue { $0.number + UInt32($0.priority) } == number + 101)
                #expect(try other.take().number == number + 100 && variable.isEmpty)
            }
        }

        @Test("V1 one that is made with a value has it, and one that is opened later does not replace it")
        func initial() throws {
            let variable = try open(5)
            #expect(try open(6).read() == 5)
            #expect(try variable.take() == 5 && variable.isEmpty)
            #expect(try open(7).isEmpty)
        }

        @Test("V1 the forms that try never block: they do it, or say that they did not")
        func trying() throws {
            let variable = try open()
            #expect(try variable.tryTake() == nil && variable.tryRead() == nil && variable.trySwap(1) == nil)
            #expect(try variable.tryPut(1) && !variable.tryPut(2))
            #expect(try variable.tryRead() == 1 && variable.trySwap(3) == 1 && variable.tryTake() == 3 && variable.tryTake() == nil)
            // Others see it full and whole while it is changed, and cannot take it.
            let again = try open()
            try variable.put(4)
            try TestThread {
                try variable.modify { value in
                    value = 5
                    let thread = try TestThread {
                        try again.tryTake() == nil && again.trySwap(6) == nil && !again.tryPut(7) && again.tryRead() == 4 && !again.isEmpty
                    }
                    guard try thread.join() else { throw TestFailure("somebody got it while it was changed") }
                }
            }.join()
            #expect(try again.take() == 5)
        }

        @Test("V1 V2 every call that waits ends with its deadline, at once if that has passed, and has done nothing")
        func deadlines() throws {
            let variable = try open()
            let again = try open()
            func check(_ calls: [(Deadline) throws -> Void]) {
                for call in calls {
                    for deadline in [Deadline.now, .after(.milliseconds(2))] { #expect(variableError { try call(deadline) } == .deadline) }
                }
            }
            check([
                { _ = try variable.take(until: $0) }, { _ = try variable.read(until: $0) }, { _ = try variable.swap(9, until: $0) },
                { try variable.modify(until: $0) { $0 = 9 } }, { try variable.withValue(until: $0) { _ in } },
            ])
            #expect(variable.isEmpty)
            try variable.put(1)
            check([{ try variable.put(2, until: $0) }])
            try again.withValue { _ in
                try TestThread {
                    guard variableError({ try variable.modify(until: .after(.milliseconds(2))) { $0 = 9 } }) == .deadline else {
                        throw TestFailure("changed while another looks at it")
                    }
                }.join()
            }
            #expect(try variable.take(until: .now) == 1)
        }

        @Test("V1 a change that throws has not happened, and waiting for it inside of itself is refused")
        func changes() throws {
            let variable = try open(5)
            let again = try open()
            #expect(
                variableError {
                    try variable.modify { value in
                        value = 77
                        throw WaitError.impossible("no")
                    }
                } == .impossible("no"))
            #expect(try variable.read() == 5)
            let calls: [() throws -> Void] = [
                { try variable.put(1) }, { _ = try variable.take() }, { _ = try again.take() }, { _ = try again.swap(1) },
                { try again.modify { $0 = 1 } }, { try variable.withValue { _ in } }, { _ = try again.tryTake() },
            ]
            for call in calls {
                for isLook in [false, true] {
                    let error = variableError {
                        if isLook { try variable.withValue { _ in try call() } } else { try variable.modify { _ in try call() } }
                    }
                    guard case .impossible? = error else { throw TestFailure("\(String(describing: error)) inside of a change") }
                }
            }
            try variable.modify { value in
                value = 6
                let seen = try again.read()
                #expect(seen == 5, "readers get it as it was")
            }
            #expect(try again.take() == 6)
        }

        @Test("V1 numbers begin anew after 2^32 values, also for who waits then")
        func wrapping() throws {
            let variable = try open()
            _ = variable.words.control.exchange(0xffff_fffd << 32 | VariableWords.open)
            for number in 0..<6 {
                let reading = try TestThread { try variable.read() }
                try eventuallyBlocking("it sleeps") { variable.words.readers.isMarked }
                try variable.put(number)
                #expect(try reading.join() == number)
                #expect(try variable.swap(number + 10) == number && variable.take() == number + 10)
            }
        }

        @Test("V1 its size is what the documentation says, and a place of just that size is enough")
        func footprint() throws {
            #expect(SharedVariable<Int>.byteCount == 176 && SharedVariable<UInt8>.byteCount == 162)
            let alignment = MemoryLayout<Wide>.alignment
            #expect(SharedVariable<Wide>.byteCount == 128 + (32 + alignment - 1) / alignment * alignment + 2 * MemoryLayout<Wide>.stride)
            let segment = try Segment.create("place", size: 64 + SharedVariable<Wide>.byteCount, in: directory.objects)
            #expect(code { _ = try SharedVariable<Wide>(in: segment, at: 128) } == .sizeMismatch)
            #expect(code { _ = try SharedVariable<Wide>(in: segment, at: 32) } == .invalidArgument)
            let variable = try SharedVariable<Wide>(in: segment, at: 64)
            for number in 1...5 {
                try variable.put(Wide(vector: SIMD8(repeating: Double(number))))
                #expect(try variable.take().vector == SIMD8(repeating: Double(number)))
            }
            #expect(code { _ = try SharedVariable<Int>(in: segment, at: 64) } == .elementMismatch)
            #expect(code { _ = try SharedMutex(in: segment, at: 64, initial: 5) } == .kindMismatch)
        }

        @Test("V1 N4 another type, or another kind of object, is refused under its name")
        func mismatches() throws {
            let variable = try open(5)
            #expect(code { _ = try SharedVariable<Job>(named: "v", options: options) } == .elementMismatch)
            #expect(code { _ = try LatestValue(named: "v", initial: 5, options: options) } == .kindMismatch)
            let details = try #require(try directory.objects.status(of: "v").details)
            #expect(details.header.kind == .variable && details.header.element.identifier == "Int" && !details.isGarbage)
            #expect(try variable.take() == 5)
        }

        @Test("V1 X1 words that nobody can have written are an error, or nobody's; never a hang")
        func damage() throws {
            let variable = try open(5)
            let control = variable.words.control
            let calls: [() throws -> Void] = [
                { try variable.put(1) }, { _ = try variable.take() }, { _ = try variable.read() }, { _ = try variable.tryRead() },
                { _ = try variable.swap(1) }, { try variable.modify { $0 = 1 } }, { try variable.withValue { _ in } },
                { _ = try variable.tryTake() }, { _ = try variable.tryPut(1) },
            ]
            for impossible in [0, 1, 0xffff_fffd] as [UInt64] {
                _ = control.exchange(impossible)
                for call in calls { #expect(variableError(call) == .damaged("control"), "\(impossible)") }
            }
            // Claims of peers that are not there.
            for claim in [1 << 2, 1023 << 2 | 1 << 12, 5 << 2 | 77 << 12, 0xffff_fffc] as [UInt64] {
                _ = control.exchange(7 << 32 | claim | VariableWords.open)
                try variable.put(6, until: .now)
                _ = control.exchange(control.loadAcquire() | claim)
                #expect(try variable.take(until: .now) == 6)
            }
            // Somebody writes there in the middle of a change.
            try variable.put(6)
            #expect(variableError { try variable.modify { _ in _ = control.exchange(VariableWords.open) } } == .damaged("control"))
        }
    }
}
