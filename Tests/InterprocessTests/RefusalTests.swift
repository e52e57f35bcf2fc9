import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Refusals in one line")
struct RefusalTests {
    @Test("N4 what is no queue is not validated as one", arguments: [0, 100_000])
    func noQueue(size: Int) throws {
        let segment = try Segment.anonymous(size: size)
        #expect(refusal { _ = try QueueInspection.validate(segment) }?.code == .kindMismatch)
    }

    @Test("N1 a name with control characters is refused in one line without them")
    func controlCharacters() throws {
        let text = refusal { _ = try ObjectName("a\nb\u{1b}[31m" as String) }?.description ?? ""
        let hasControl = text.utf8.contains { $0 < 0x20 }
        #expect(text.contains("a?b?[31m") && !hasControl)
    }
}
