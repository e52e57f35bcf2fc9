import InterprocessSystem
import SystemPackage

/// By key: found by whoever has the same. The scenes' own have none, so that they meet nobody's.
private func number(_ address: String) throws -> Int32 {
    guard let number = Int32(address) else { throw Unexpected("no number") }
    return number
}

final class SystemVMessageQueueScene: CarryingScene {
    private let queue: SystemVMessageQueue

    init(in place: ScenePlace, forEverybody: Bool) throws {
        queue = try SystemVMessageQueue.create(.private, permissions: forEverybody ? everybody : .ownerReadWrite)
    }
    deinit { try? queue.remove() }

    static var overtaking: String { "by type, as the receiver asks" }
    var address: SceneAddress { .number(queue.identifier) }
    var descriptor: FileDescriptor? { nil }
    var otherHandle: String { "number" }
    static func join(_ address: String) throws { _ = try SystemVMessageQueue(identifier: number(address)).status() }

    func put(_ bytes: [UInt8]) throws { try queue.send(bytes.span, type: 2) }
    func putUrgent(_ bytes: [UInt8]) throws { try queue.send(bytes.span, type: 1) }
    func get() throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 64)
        var span = bytes.mutableSpan
        return try queue.tryReceive(into: &span, .upTo(2)).map { Array(bytes[..<$0.byteCount]) }
    }

    /// Nobody has it open: there is nothing to close.
    func lasts() throws -> String {
        try put([1])
        return try get() == [1] ? "until removed, or the machine's end" : "?"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        other.kill()
        let seen = reading(try get())
        return try errorName { try put([1]) } == nil ? seen : "?"
    }
}

final class SystemVSemaphoreScene: FacilityScene {
    private let set: SystemVSemaphoreSet

    init(in place: ScenePlace, forEverybody: Bool) throws {
        set = try SystemVSemaphoreSet.create(.private, count: 2, permissions: forEverybody ? everybody : .ownerReadWrite)
        try set.setValues([5, 5])
    }
    deinit { try? set.remove() }

    var address: SceneAddress { .number(set.identifier) }
    var descriptor: FileDescriptor? { nil }
    var otherHandle: String { "number" }
    static func join(_ address: String) throws {
        try SystemVSemaphoreSet(identifier: number(address)).operate([.take(2, from: 0), .take(2, from: 1, undo: true)])
    }

    func boundaries() throws -> String {
        try set.operate([.add(1, to: 0), .add(2, to: 1)])
        return try set.values() == [6, 7] ? "numbers, several at once" : "?"
    }

    func lasts() throws -> String {
        try SystemVSemaphoreSet(identifier: set.identifier).values() == [5, 5] ? "until removed, or the machine's end" : "?"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        let before = try set.values()
        other.kill()
        switch (before, try set.values()) {
        case ([3, 3], [3, 5]): return "what it did is undone where it said so"
        case ([3, 3], [3, 3]): return "nothing to be seen"
        default: throw Unexpected("the values were \(before), and are \(try set.values())")
        }
    }
}

final class SystemVSharedMemoryScene: FacilityScene {
    private let memory: SystemVSharedMemory
    private var attached: SystemVSharedMemory.Attachment?

    init(in place: ScenePlace, forEverybody: Bool) throws {
        memory = try SystemVSharedMemory.create(.private, size: 4096, permissions: forEverybody ? everybody : .ownerReadWrite)
        attached = try memory.attach()
    }
    deinit { try? memory.remove() }

    var address: SceneAddress { .number(memory.identifier) }
    var descriptor: FileDescriptor? { nil }
    var otherHandle: String { "number, then an address" }
    static func join(_ address: String) throws {
        let attached = try SystemVSharedMemory(identifier: number(address)).attach()
        unsafe attached.withUnsafeMutableBytes { unsafe $0[0] = 7 }
        hold(attached)
    }

    private func byte() -> UInt8? { unsafe attached?.withUnsafeMutableBytes { unsafe $0[0] } }

    func boundaries() throws -> String { byte() == 0 ? "bytes that are shared" : "?" }

    func lasts() throws -> String {
        unsafe attached?.withUnsafeMutableBytes { unsafe $0[0] = 9 }
        attached = nil
        attached = try memory.attach()
        return byte() == 9 ? "until removed, or the machine's end" : "as long as somebody has it"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        let attachments = try memory.status().attachments
        other.kill()
        guard byte() == 7 else { throw Unexpected("it did not write") }
        return try memory.status().attachments == attachments - 1 ? "its bytes stay; it is counted no more" : "nothing to be seen"
    }
}
