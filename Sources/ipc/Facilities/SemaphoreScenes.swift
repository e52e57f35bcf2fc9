import InterprocessSystem
import SystemPackage

final class PosixSemaphoreScene: FacilityScene {
    private let name: String
    private var semaphore: PosixSemaphore?

    init(in place: ScenePlace, forEverybody: Bool) throws {
        name = "/" + place.name("semaphore")
        semaphore = try PosixSemaphore.create(name, value: 5, permissions: forEverybody ? everybody : .ownerReadWrite)
    }
    deinit { try? PosixSemaphore.remove(name) }

    var address: SceneAddress { .name(name) }
    var descriptor: FileDescriptor? { nil }
    var otherHandle: String { "an address" }
    static func join(_ address: String) throws {
        let semaphore = try PosixSemaphore.open(address)
        try semaphore.wait()
        hold(semaphore)
    }

    func boundaries() throws -> String {
        try semaphore!.signal()
        return try semaphore!.value() == 6 ? "a number, one at a time" : "?"
    }

    func lasts() throws -> String {
        semaphore = nil
        return try PosixSemaphore.open(name).value() == 5 ? "until removed, or the machine's end" : "as long as somebody has it"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        let before = try semaphore!.value()
        other.kill()
        switch (before, try semaphore!.value()) {
        case (4, 4): return "nothing to be seen; what it took is gone"
        case (4, 5): return "what it took is given back"
        default: throw Unexpected("there were \(before) units, and are \(try semaphore!.value())")
        }
    }
}

/// A word of a file that all have mapped. The other process has changed it, and is killed before it wakes.
final class FutexScene: FacilityScene {
    private let path: FilePath
    private let memory: MappedFile

    init(in place: ScenePlace, forEverybody: Bool) throws {
        path = place.path("futex")
        let file = OwnedDescriptor(
            owning: try FileDescriptor.open(
                path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: forEverybody ? everybody : .ownerReadWrite))
        try file.descriptor.setSize(4096)
        memory = try MappedFile(file.descriptor)
    }

    var address: SceneAddress { .memory(path) }
    var descriptor: FileDescriptor? { nil }
    var otherHandle: String { "an address" }
    static func join(_ address: String) throws {
        let file = OwnedDescriptor(owning: try FileDescriptor.open(FilePath(address), .readWrite, options: .closeOnExec))
        let memory = try MappedFile(file.descriptor)
        unsafe memory.withUnsafeMutableBytes { unsafe $0.storeBytes(of: 1, as: UInt32.self) }
        hold(memory)
    }

    func access(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let seen = try accessByUser(in: place, row)
        return seen == "permissions" ? "who has its memory" : seen
    }

    private func wait(while expected: UInt32) throws -> Futex.WaitResult {
        try unsafe memory.withUnsafeMutableBytes {
            unsafe try Futex.wait($0.baseAddress!, while: expected, until: .after(.milliseconds(20)))
        }
    }

    func boundaries() throws -> String {
        // Only what it is now is compared.
        guard case .deadline = try wait(while: 0), case .changed = try wait(while: 1) else { throw Unexpected("it was not compared") }
        return "a word that is compared"
    }
    func lasts() throws -> String { if case .memory = address { "as long as its memory" } else { "?" } }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        other.kill()
        guard case .changed = try wait(while: 0) else { throw Unexpected("what it wrote is gone") }
        // Whoever sleeps now is woken by nobody.
        if case .deadline = try wait(while: 1) { return "nothing to be seen" }
        return "?"
    }
}
