import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

/// One side writes what it likes where a call stands, and gives the turn.
extension HandoffCallTests {
    /// Words that are near to something, or far from everything.
    private static func word(_ random: inout SeededRandom) -> UInt32 {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: UInt32.random(in: 0...8, using: &random)
        case 1: UInt32.random(in: 440...460, using: &random)
        case 2: [.max, .max - 1, 1 << 31, 1 << 16].randomElement(using: &random) ?? 0
        default: UInt32.random(in: 0...UInt32.max, using: &random)
        }
    }

    private static func long(_ random: inout SeededRandom) -> UInt64 {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: UInt64.random(in: 0...64, using: &random)
        case 1: UInt64.random(in: UInt64(dataSize - 64)...UInt64(dataSize + 64), using: &random)
        case 2: [.max, .max - 7, 1 << 63, 1 << 61, 1 << 32].randomElement(using: &random) ?? 0
        default: UInt64.random(in: 0...UInt64.max, using: &random)
        }
    }

    /// Scribbles over each word of the call with some probability, and over scalars and data. The side that has given the turn does so before the other
    /// has looked.
    private func scribble(_ side: borrowing Handoff, _ random: inout SeededRandom) {
        let words = side.callWords
        for word in [words.method, words.depth, words.size, words.outputSize, words.code, words.kind]
        where Int.random(in: 0..<4, using: &random) == 0 {
            word.storeRelaxed(Self.word(&random))
        }
        // Depth and size right, mostly: what lies behind their checks is to be reached.
        for word in [side.used.mine, side.used.other] where Int.random(in: 0..<4, using: &random) == 0 {
            word.storeRelaxed(Self.long(&random))
        }
        for index in 0..<12 where Bool.random(using: &random) {
            unsafe words.scalars.storeBytes(of: Self.long(&random), toByteOffset: 8 * index, as: UInt64.self)
        }
        if Bool.random(using: &random) {
            // An array of the right elements, somewhere.
            let place = Place(offset: Self.long(&random) & ~7, count: Self.long(&random), size: 8, code: 0x71)
            unsafe words.scalars.storeBytes(of: place, as: Place.self)
        }
    }

    /// What a span of any place is, lies in the data.
    private func checkBounds(_ numbers: SharedSlice<Int64>, _ count: Int) {
        #expect(numbers.offset <= UInt64(Self.dataSize) && count <= (Self.dataSize - Int(numbers.offset)) / 8)
    }

    private static let rounds = SeededRandom.setting("IPC_CALL_SCRIBBLES", default: 4000)

    @Test("H9 X1 X2 whatever stands in a call, who serves ends each of them with an answer or an error, and touches nothing outside")
    func hostileCaller() throws {
        var random = SeededRandom(for: "hostile caller")
        let watch = try HangWatch("hostile caller")
        defer { watch.end() }
        var outcomes: [String: Int] = [:]
        for pairs in 0..<(Self.rounds / 100) {
            watch.step("pair \(pairs)")
            let pair = try Pair(self)
            var attacker = try pair.child()
            var victim = try pair.parent()
            for _ in 0..<100 {
                // The attacker has the turn; its call, as it would be, and then as it likes.
                let kind = Bool.random(using: &random) ? Doubling.id : Add.id
                attacker.callWords.method.storeRelaxed(kind)
                attacker.callWords.depth.storeRelaxed(victim.calls.depth + 1)
                attacker.callWords.size.storeRelaxed(kind == Doubling.id ? 24 : 16)
                attacker.callWords.outputSize.storeRelaxed(8)
                try giveBack(&attacker, .call)
                scribble(attacker, &random)
                outcomes[serveOnce(&victim), default: 0] += 1
                // It gives the turn back, whatever it came to.
                if victim.value != nil { try giveBack(&victim, .value) }
                guard try attacker.tryTurn() != .pending else { throw TestFailure("the turn is lost") }
            }
        }
        print("hostile caller: \(outcomes.sorted { $0.value > $1.value })")
        #expect(outcomes["served", default: 0] > 0 && outcomes.count >= 4)
    }

    private func giveBack(_ side: inout Handoff, _ kind: TurnKind) throws { try side.give(0, kind) }

    /// Serves what has come, and nothing more.
    private func serveOnce(_ side: inout Handoff) -> String {
        do {
            // The next wait, after an answer or a refusal, is for a turn that does not come.
            let end = try side.serve(until: .now) { side, method in
                switch method {
                case Add.id: try side.answer(Add.self) { $1.a &+ $1.b }
                case Doubling.id:
                    try side.answer(Doubling.self) { side, numbers in
                        _ = try? side.allocate(repeating: UInt8(0), count: 100)
                        let count = try side.span(of: numbers).count
                        self.checkBounds(numbers, count)
                        return try side.double(numbers)
                    }
                default: break
                }
            }
            return "returned \(String(describing: end))"
        } catch HandoffCallError.deadline {
            return "served"
        } catch {
            return "\(error)"
        }
    }

    @Test("H9 X1 X2 whatever stands in an answer, the caller gets an output or an error, and touches nothing outside")
    func hostileAnswer() throws {
        var random = SeededRandom(for: "hostile answer")
        let watch = try HangWatch("hostile answer")
        defer { watch.end() }
        var outcomes: [String: Int] = [:]
        for pairs in 0..<(Self.rounds / 20) {
            watch.step("pair \(pairs)")
            let pair = try Pair(self)
            var attacker = try pair.parent()
            var victim = try pair.child()
            for _ in 0..<20 {
                let numbers = try? victim.allocate(repeating: Int64(1), count: Int.random(in: 0...100, using: &random))
                #expect(throws: HandoffCallError.deadline) {
                    try victim.call(Doubling.self, numbers ?? SharedSlice(), until: .now)
                }
                _ = try attacker.tryTurn()
                attacker.callWords.size.storeRelaxed(8)
                try giveBack(&attacker, [.answer, .answer, .failure, .refusal, .call].randomElement(using: &random) ?? .answer)
                scribble(attacker, &random)
                var outcome = "answered"
                do throws(HandoffCallError) {
                    _ = try victim.awaitAnswer(to: Doubling.self, until: .now)
                } catch {
                    outcome = error == .failed(HandoffFailure(code: 0)) ? "failed" : "\(error)".filter { !$0.isNumber }
                }
                outcomes[outcome, default: 0] += 1
                // From here on the two may be out of step: that is for the next pair.
                if outcome != "answered" && outcome != "failed" { break }
            }
        }
        print("hostile answer: \(outcomes.sorted { $0.value > $1.value })")
        #expect(outcomes["answered", default: 0] > 0 && outcomes.count >= 4)
    }

    @Test("H9 X2 what the other side is said to have allocated is checked")
    func hostileUse() throws {
        let pair = try Pair(self)
        var child = try pair.child()
        for bytes in [UInt64(Self.dataSize + 1), .max, 1 << 63] {
            child.used.other.storeRelaxed(bytes)
            #expect(throws: HandoffCallError.damaged("used")) { try child.allocate(repeating: UInt8(0), count: 1) }
        }
        child.used.other.storeRelaxed(UInt64(Self.dataSize))
        #expect(throws: HandoffCallError.noRoom(needed: 1, free: 0)) { try child.allocate(repeating: UInt8(0), count: 1) }
        // Its own is remembered, not read.
        child.used.other.storeRelaxed(0)
        child.used.mine.storeRelaxed(.max)
        #expect(try child.allocate(repeating: UInt8(0), count: 16).offset == UInt64(Self.dataSize - 16))
    }
}
