import Testing

@testable import CrashLab

@Suite("points") struct PointTests {
    @Test("a point is read as it is written", arguments: ["i0", "i12", "c3", "c3+5", "end", "s99", "i7/p11", "end/p0"])
    func roundTrip(text: String) throws {
        #expect(try #require(Point(text)).description == text)
    }

    @Test("what is no point is refused", arguments: ["", "i", "c", "c1+", "x3", "i3/p12", "i3/q1", "ende", "i1/p1/p1"])
    func refused(text: String) { #expect(Point(text) == nil) }
}
