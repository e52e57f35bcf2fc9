import InterprocessSystem
import SystemPackage

/// Memory of a file, shared by mapping it: the other process writes a 7 at its start and has it mapped until it is killed.
protocol MemoryScene: FacilityScene {
    /// The file's.
    static func open(_ address: String) throws -> MappedFile
    func map() throws -> MappedFile
    /// Lets go of what this process has of it, but for its name.
    func letGo()
    /// The cell if it is still there then.
    static var lasting: String { get }
}

extension MemoryScene {
    static func join(_ address: String) throws {
        let memory = try open(address)
        unsafe memory.withUnsafeMutableBytes { unsafe $0[0] = 7 }
        hold(memory)
    }

    private func byte(_ place: Int) throws -> UInt8 { unsafe try map().withUnsafeBytes { unsafe $0[place] } }

    func boundaries() throws -> String {
        let first = try map(), second = try map()
        unsafe first.withUnsafeMutableBytes { unsafe $0[1] = 2 }
        return unsafe second.withUnsafeBytes { unsafe $0[1] == 2 } ? "bytes that are shared" : "?"
    }

    func lasts() throws -> String {
        unsafe try map().withUnsafeMutableBytes { unsafe $0[2] = 9 }
        letGo()
        return unsafe try Self.open(address.text).withUnsafeBytes { unsafe $0[2] == 9 } ? Self.lasting : "as long as somebody has it"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        other.kill()
        return try byte(0) == 7 ? "its bytes stay" : "?"
    }
}

final class MappedFileScene: MemoryScene {
    private let path: FilePath

    init(in place: ScenePlace, forEverybody: Bool) throws {
        path = place.path("mapped")
        let file = OwnedDescriptor(
            owning: try FileDescriptor.open(
                path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: forEverybody ? everybody : .ownerReadWrite))
        try file.descriptor.setSize(4096)
    }

    var address: SceneAddress { .path(path) }
    /// Of the file, which may be closed; the memory is had without.
    var descriptor: FileDescriptor? { nil }
    var otherHandle: String { "an address" }
    static var lasting: String { "until removed" }
    static func open(_ address: String) throws -> MappedFile {
        let file = OwnedDescriptor(owning: try FileDescriptor.open(FilePath(address), .readWrite, options: .closeOnExec))
        return try MappedFile(file.descriptor)
    }
    func map() throws -> MappedFile { try Self.open(path.string) }
    func letGo() {}
}

final class PosixSharedMemoryScene: MemoryScene {
    private let name: String
    private var memory: PosixSharedMemory?

    init(in place: ScenePlace, forEverybody: Bool) throws {
        name = "/" + place.name("memory")
        memory = try PosixSharedMemory.create(name, byteCount: 4096, permissions: forEverybody ? everybody : .ownerReadWrite)
    }
    deinit { try? PosixSharedMemory.remove(name) }

    var address: SceneAddress { .name(name) }
    var descriptor: FileDescriptor? { memory?.descriptor }
    static var lasting: String { "until removed, or the machine's end" }
    static func open(_ address: String) throws -> MappedFile { try PosixSharedMemory.open(address).map() }
    func map() throws -> MappedFile { try memory?.map() ?? Self.open(name) }
    func letGo() { memory = nil }
}

/// Without a name: given from process to process.
final class MemoryFileScene: MemoryScene {
    private let file: OwnedDescriptor
    init(in place: ScenePlace, forEverybody: Bool) throws { file = try MemoryFile.make(named: "scene", size: 4096) }

    var address: SceneAddress { .passed([file.descriptor]) }
    var descriptor: FileDescriptor? { file.descriptor }
    static var lasting: String { "until removed" }
    static func open(_: String) throws -> MappedFile { try MappedFile(FileDescriptor(rawValue: 3)) }
    func map() throws -> MappedFile { try MappedFile(file.descriptor) }
    func letGo() {}
    /// Nobody finds it but by the descriptor.
    func lasts() throws -> String { address.text.isEmpty ? "as long as somebody has it" : "?" }
}
