import Testing

@testable import CrashLab

@Suite("points") struct PointTests {
    @Test(
        "a point is read as it is written",
        arguments: ["i0", "i12", "c3", "c3+5", "end", "s99", "i7/p11", "end/p0", "f3/p2", "o", "o12:1,30x0"])
    func roundTrip(text: String) throws {
        #expect(try #require(Point(text)).description == text)
    }

    @Test(
        "what is no point is refused",
        arguments: ["", "i", "c", "c1+", "x3", "i3/p12", "i3/q1", "ende", "i1/p1/p1", "f", "o1", "o1:", "ox1"])
    func refused(text: String) { #expect(Point(text) == nil) }

    @Test("successors: every later deviation that costs no more than it may, and a kill of each that lives")
    func successors() throws {
        // Both can go on twice; the first has the turn.
        let trace = try #require(Trace("330330331321"))
        #expect(trace.text == "330330331321")
        func texts(_ most: Int, _ mayKill: Bool) -> [String] {
            trace.successors(of: [], preemptions: most, mayKill: mayKill).map { Point(.order($0)).description }
        }
        // At the third turn the second went on although the first could have: only there is the first for nothing.
        #expect(texts(0, false) == ["o0:1", "o2:0"])
        #expect(texts(1, false) == ["o0:1", "o1:1", "o2:0"])
        #expect(texts(0, true).filter { $0.contains("x") } == ["o0x0", "o0x1", "o1x0", "o1x1", "o2x0", "o2x1", "o3x0", "o3x1"])
        let later = trace.successors(of: [Deviation(turn: 1, player: 0, isKill: true)], preemptions: 1, mayKill: true)
        #expect(later.map { Point(.order($0)).description } == ["o1x0,2:0"])
    }
}
