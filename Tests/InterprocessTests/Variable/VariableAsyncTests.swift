import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension VariableSuite {
    @Suite("asynchronously") struct Asynchronous {
        private let directory: TemporaryDirectory
        init() throws { directory = try TemporaryDirectory() }

        private func open() throws -> SharedVariable<Int> {
            try SharedVariable(named: "v", options: SynchronizationOptions(directory: directory.objects))
        }

        private func outcome<R>(_ body: () async throws -> R) async -> WaitError? {
            do {
                _ = try await body()
                return nil
            } catch {
                return error as? WaitError
            }
        }

        @Test("V1 P1 every call suspends, and goes on with the value or the room that it waited for")
        func suspended() async throws {
            let (variable, other) = (try open(), try open())
            let taking = Task { try await variable.take() }
            try await eventually("it waits") { other.words.takers.isMarked }
            try await other.put(1)
            #expect(try await taking.value == 1)
            let reading = Task { try await variable.read() }
            try await eventually("it waits") { other.words.readers.isMarked }
            try await other.put(2)
            #expect(try await reading.value == 2)
            let putting = Task { try await variable.put(3) }
            try await eventually("it waits") { other.words.putters.isMarked }
            #expect(try await other.swap(20) == 2)
            #expect(try await other.take() == 20)
            try await putting.value
            try await other.modify { $0 += 1 }
            #expect(try await variable.withValue { $0 } == 4)
            #expect(try await variable.take() == 4)
        }

        @Test("V2 P1 a cancelled task and a passed deadline return promptly, with nothing done, and pass the wake-up on")
        func cancelled() async throws {
            let variable = try open()
            for round in 0..<50 {
                let cancelled = Task { await outcome { try await variable.take() } }
                let staying = Task { try await variable.take() }
                try await eventually("they wait") { variable.words.takers.isMarked }
                if round % 2 == 0 {
                    cancelled.cancel()
                    try await variable.put(round)
                } else {
                    try await variable.put(round)
                    cancelled.cancel()
                }
                // Whichever got it: if the first one did, the second still waits.
                if await cancelled.value == nil { try await variable.put(round) }
                #expect(try await staying.value == round && variable.isEmpty)
            }
            #expect(await outcome { try await variable.take(until: .after(.milliseconds(2))) } == .deadline)
            #expect(await outcome { try await variable.read(until: .after(.milliseconds(2))) } == .deadline)
            let reading = Task { await outcome { try await variable.read() } }
            try await eventually("it waits") { variable.words.readers.isMarked }
            reading.cancel()
            #expect(await reading.value == .cancelled)
            try await variable.put(1)
            #expect(await outcome { try await variable.put(2, until: .after(.milliseconds(2))) } == .deadline)
            let putting = Task { await outcome { try await variable.put(2) } }
            try await eventually("it waits") { variable.words.putters.isMarked }
            putting.cancel()
            #expect(await putting.value == .cancelled)
            #expect(try await variable.take() == 1 && variable.isEmpty)
        }

        @Test("V1 P1 two hundred tasks that put and take, two hundred values, each once")
        func many() async throws {
            let variable = try open()
            let putters = (0..<200).map { number in Task { try await variable.put(number) } }
            let takers = (0..<200).map { _ in Task { try await variable.take() } }
            var seen = Set<Int>()
            for taker in takers { #expect(try await seen.insert(taker.value).inserted) }
            for putter in putters { try await putter.value }
            #expect(seen.count == 200 && variable.isEmpty)
        }
    }
}
