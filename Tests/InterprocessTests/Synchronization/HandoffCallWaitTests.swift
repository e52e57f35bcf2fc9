import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension HandoffCallTests {
    @Test("H9 P1 calls without blocking a thread, also back and forth")
    func async() async throws {
        let server = try start("call-serve", .child)
        var parent = try join(.parent)
        for number in 0..<300 as Range<Int64> {
            #expect(try await parent.call(Add.self, Add.Arguments(number, 1)) == number + 1)
        }
        let numbers = try parent.allocate(repeating: Int64(0), count: 10)
        let sum = try await parent.call(Solve.self, numbers) { side, method in
            guard method == Query.id else { return }
            try await side.answer(Query.self) { _, index in
                await Task.yield()
                return Int64(index)
            }
        }
        #expect(sum == 45)
        await #expect(throws: HandoffCallError.unknownMethod(99)) { try await parent.call(NoSuch.self, NoValue()) }
        parent.close()
        try await server.expect("joined")
        try await server.expect("ended closed")
    }

    @Test("H9 P1 serving without blocking a thread, and calling back from there")
    func asyncServing() async throws {
        let child = try start("call-make", .child, ["everything"])
        var parent = try join(.parent)
        // On a thread of the library's, which no other test keeps busy.
        let serving = Task(executorPreference: InterprocessExecutor.shared) { [directory] in
            withExtendedLifetime(directory) {}
            return try await parent.serve { side, method in
                switch method {
                case Add.id: try side.answer(Add.self) { _, pair in pair.a + pair.b }
                case Doubling.id: try side.answer(Doubling.self) { side, numbers in try side.double(numbers) }
                default: break
                }
            }
        }
        #expect(try await child.line() == "sum 42, doubled 50 to 10, at \(Self.dataSize - 80)")
        child.kill()
        guard case .died(let notice)? = try await serving.value else { throw TestFailure("no end") }
        #expect(notice.pid == child.pid)
    }

    @Test("H9 a deadline ends the waiting, not the call: its answer can be had later")
    func deadline() async throws {
        let server = try start("call-serve", .child)
        var parent = try join(.parent)
        try late(&parent)
        try await server.expect("joined")
        try await server.expect("napping")
        try server.send("wake up")
        #expect(try await parent.awaitAnswer(to: Nap.self) == 50)
        // And of the asynchronous form.
        await #expect(throws: HandoffCallError.deadline) { try await parent.call(Nap.self, 50, until: .after(.milliseconds(1))) }
        try await server.expect("napping")
        try server.send("wake up")
        #expect(try await parent.awaitAnswer(to: Nap.self, until: .after(watchdog)) == 50)
        try serveLate(&parent)
    }

    private func late(_ side: inout Handoff) throws {
        let numbers = try side.allocate(repeating: Int64(0), count: 10)
        let mark = side.mark
        #expect(throws: HandoffCallError.deadline) { try side.call(Nap.self, 50, until: .after(.milliseconds(1))) }
        // The other side has the turn: nothing of the memory is this one's.
        #expect(throws: HandoffCallError.notYourTurn) { try side.call(Add.self, Add.Arguments(1, 2)) }
        #expect(throws: HandoffCallError.notYourTurn) { try side.allocate(repeating: UInt8(0), count: 1) }
        #expect(throws: HandoffCallError.notYourTurn) { _ = try side.span(of: numbers).count }
        #expect(throws: HandoffCallError.outOfStep) { try side.awaitAnswer(to: Add.self) }
        #expect(throws: HandoffCallError.outOfStep) { try side.awaitCall() }
        side.release(to: mark)
        #expect(side.calls.used == 80)
    }

    private func serveLate(_ side: inout Handoff) throws {
        // The other side's serving returns with a turn that brings no call, and begins anew.
        #expect(try side.awaitCall(until: .after(watchdog)) == nil && side.value == 0)
        #expect(try side.call(Add.self, Add.Arguments(1, 2)) == 3)
    }

    @Test("H9 P1 a cancelled call returns at once, and its answer can be had later")
    func cancelled() async throws {
        let server = try start("call-serve", .child)
        let join = join
        let isCancelled = Flag()
        let task = Task {
            var parent = try join(.parent, Self.dataSize)
            do {
                _ = try await parent.call(Nap.self, 300)
                return (nil as HandoffCallError?, 0 as Int64)
            } catch {
                isCancelled.raise()
                return (error as? HandoffCallError, try parent.answerOfNap())
            }
        }
        try await server.expect("joined")
        try await server.expect("napping")
        task.cancel()
        try await eventually("cancelled") { isCancelled.isRaised }
        try server.send("wake up")
        let (error, answer) = try await task.value
        #expect(error == .cancelled && answer == 300)
    }

    @Test("H9 yielding in the middle of a call, and serving where nobody calls, are told")
    func yielding() throws {
        let pair = try Pair(self)
        var parent = try pair.parent()
        var child = try pair.child()
        // The child has the turn. Both serve: neither hangs.
        #expect(throws: HandoffCallError.deadline) { try child.awaitCall(until: .now) }
        #expect(try parent.awaitCall() == nil && parent.value == 0)
        // A call that is answered with a plain turn.
        #expect(throws: HandoffCallError.deadline) { try parent.call(Add.self, Add.Arguments(1, 2), until: .now) }
        #expect(try child.awaitTurn() == 0)
        // It has come, but has not been taken: this side can't call before that.
        #expect(throws: HandoffCallError.outOfStep) { try child.call(Add.self, Add.Arguments(1, 2)) }
        #expect(try child.tryYield(5) == .pending)
        #expect(throws: HandoffCallError.yielded) { try parent.awaitAnswer(to: Add.self) }
        #expect(parent.value == 5)
        // A method that does the same does not get away with an answer.
        #expect(throws: HandoffCallError.deadline) { try parent.call(Add.self, Add.Arguments(1, 2), until: .now) }
        #expect(try child.awaitCall() == Add.id)
        #expect(throws: HandoffCallError.outOfStep) { try child.call(Add.self, Add.Arguments(1, 2)) }
        #expect(throws: HandoffCallError.notYourTurn) {
            try child.answer(Add.self) { side, pair in
                _ = try side.tryYield(6)
                return 3
            }
        }
        #expect(throws: HandoffCallError.notYourTurn) { try child.answer(Add.self) { $1.a } }
    }

    @Test("H9 a call that was not answered is answered as unknown when the next one is awaited")
    func unanswered() throws {
        let pair = try Pair(self)
        var parent = try pair.parent()
        var child = try pair.child()
        #expect(try child.tryYield() == .pending)
        #expect(try parent.awaitTurn() == 0)
        #expect(throws: HandoffCallError.deadline) { try parent.call(Add.self, Add.Arguments(1, 2), until: .now) }
        #expect(try child.awaitCall() == Add.id)
        #expect(throws: HandoffCallError.deadline) { try child.awaitCall(until: .now) }
        #expect(throws: HandoffCallError.unknownMethod(Add.id)) { try parent.awaitAnswer(to: Add.self) }
        // And one that is answered as another.
        #expect(throws: HandoffCallError.deadline) { try parent.call(Add.self, Add.Arguments(1, 2), until: .now) }
        #expect(try child.awaitCall() == Add.id)
        try child.answer(Doubling.self) { _, _ in 1 }
        #expect(throws: HandoffCallError.unknownMethod(Add.id)) { try parent.awaitAnswer(to: Add.self) }
    }

    @Test("H9 two arrays at once, if they do not overlap")
    func twoSpans() throws {
        let pair = try Pair(self)
        var parent = try pair.parent()
        var child = try pair.child()
        let (numbers, bytes) = (try child.allocate(repeating: Int64(4), count: 5), try child.allocate(repeating: UInt8(0), count: 5))
        try child.withMutableSpans(of: numbers, bytes) { numbers, bytes in
            for index in numbers.indices { bytes[index] = UInt8(numbers[index]) }
        }
        #expect(try child.span(of: bytes)[4] == 4)
        #expect(throws: HandoffCallError.mismatch(.offset)) {
            try child.withMutableSpans(of: numbers, numbers.extracting(4..<5)) { _, _ in }
        }
        let (first, rest) = (try numbers.extracting(0..<2), try numbers.extracting(2..<5))
        try child.withMutableSpans(of: first, rest) { $0[0] = $1[2] }
        // Its own last arrays first; the other side's are not touched.
        let before = child.mark
        _ = try child.allocate(repeating: 1.0, count: 3)
        child.release(to: before)
        #expect(child.calls.used == before.used)
        #expect(throws: HandoffCallError.notYourTurn) { try parent.allocate(repeating: UInt8(0), count: 1) }
    }
}

extension Handoff {
    /// Blocks also where the task was cancelled.
    fileprivate mutating func answerOfNap() throws -> Int64 { try awaitAnswer(to: Nap.self) }
}

/// Both sides of a handoff in one process. The child has the turn at first.
final class Pair {
    private let parentSide = Kept()
    private let childSide = Kept()

    /// A side that one thread joins and another one takes.
    private final class Kept: @unchecked Sendable {
        var side: Handoff?
    }

    init(_ test: HandoffCallTests) throws {
        let isDone = Latch(3)
        for role in HandoffRole.allCases {
            try startServiceThread(named: "\(role)") { [parentSide, childSide] in
                if role == .parent, var side = try? test.join(.parent) {
                    _ = try? side.tryYield()
                    parentSide.side = consume side
                } else if role == .child {
                    childSide.side = try? test.join(.child)
                }
                isDone.countDownAndWait()
            }
        }
        isDone.countDownAndWait()
    }

    func parent() throws -> Handoff { try Self.take(&parentSide.side) }
    func child() throws -> Handoff { try Self.take(&childSide.side) }

    private static func take(_ side: inout Handoff?) throws -> Handoff {
        guard let found = side.take() else { throw TestFailure("a side has not joined") }
        return found
    }
}
