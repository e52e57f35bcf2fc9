import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

@Suite("Names")
struct NameTests {
    @Test("N1 a valid name is taken as it is", arguments: ["a", "A-b_c.9", "0", "-", "_x", "a..b", "12345678901234567890123456789012"])
    func valid(_ text: String) throws {
        let name = try ObjectName(text)
        #expect(name.description == text)
        #expect(try ObjectName(text) == name)
        #expect(try Set([name, ObjectName(text)]).count == 1)
    }

    @Test(
        "N1 a text that is no name is refused, and the rule it breaks is said",
        arguments: [
            ("", "at least one character"), ("123456789012345678901234567890123", "at most 32 bytes, this one has 33"),
            (".hidden", "begin with a dot"),
            ("..", "begin with a dot"), ("a/b", "not a path"), ("/a", "not a path"), ("a b", "only letters"), ("ä", "only letters"),
            ("a\0", "only letters"), ("a\n", "only letters"), ("a:b", "only letters"),
        ])
    func invalid(_ text: String, _ rule: String) {
        #expect { _ = try ObjectName(text) } throws: { error in
            guard let error = error as? InterprocessError else { return false }
            return error.code == .invalidName && error.description.contains(rule)
        }
    }

    @Test("N1 a name is 32 bytes that can stand in shared memory, and is read back only if they are a name")
    func bytes() throws {
        #expect(MemoryLayout<ObjectName>.size == 32)
        #expect(MemoryLayout<ObjectName>.alignment <= 8)
        let name: ObjectName = "queue-1.x"
        #expect(name.bytes.prefix(9).elementsEqual("queue-1.x".utf8))
        #expect(name.bytes.dropFirst(9).allSatisfy { $0 == 0 })
        #expect(ObjectName(sharedBytes: name.bytes) == name)
        var garbage = name.bytes
        garbage[20] = 1
        #expect(ObjectName(sharedBytes: garbage) == nil, "something stands behind the end")
        #expect(ObjectName(sharedBytes: [UInt8](repeating: 0, count: 32)) == nil)
        #expect(ObjectName(sharedBytes: Array("../../../../etc/passwd0000000000".utf8)) == nil)
    }

    @Test("N1 unique names are valid and differ")
    func unique() throws {
        let names = (0..<1000).map { _ in ObjectName.unique() }
        #expect(Set(names).count == names.count)
        for name in names { #expect(try ObjectName(name.description) == name) }
    }

    @Test("N1 unique names differ between a process and two children of a fork")
    func uniqueAfterFork() async throws {
        let peer = try PeerProcess("fork-names", ["500"])
        var names: [String] = []
        for _ in 0..<1500 { names.append(try await peer.line()) }
        #expect(Set(names).count == 1500)
        #expect(try await peer.ending() == .exited(0))
    }
}
