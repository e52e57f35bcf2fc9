import InterprocessSystem
import SystemPackage

/// A lock on a file.
class FileLockScene {
    private let path: FilePath
    private let file: OwnedDescriptor

    init(in place: ScenePlace, forEverybody: Bool) throws {
        path = place.path("locked")
        file = OwnedDescriptor(
            owning: try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec], permissions: forEverybody ? everybody : .ownerReadWrite))
    }

    class func lock(_ file: FileDescriptor) -> FileLock { .wholeFile(file) }

    var address: SceneAddress { .path(path) }
    /// Of the file; a lock has none.
    var descriptor: FileDescriptor? { nil }
    var otherHandle: String { "a descriptor of the file" }

    class func join(_ address: String) throws {
        let file = try FileDescriptor.open(FilePath(address), .readWrite)
        guard try lock(file).tryLock() else { throw Unexpected("somebody has it") }
    }

    func lasts() throws -> String {
        let lock = Self.lock(file.descriptor)
        guard try lock.tryLock() else { throw Unexpected("somebody has it") }
        let another = try FileDescriptor.open(path, .readWrite)
        // Closing it takes a record lock away, and no other.
        try another.close()
        let third = try FileDescriptor.open(path, .readWrite)
        defer { try? third.close() }
        let isGone = try (lock.kind == .wholeFile ? FileLock.wholeFile(third) : .openFileDescription(third, lock.bytes)).tryLock()
        return !isGone ? "as long as somebody has that opening" : "until its process closes any descriptor of the file"
    }

    func death(in place: ScenePlace, _ row: FacilityRow) throws -> String {
        let other = try ScenePeer(row, address)
        let lock = Self.lock(file.descriptor)
        let before = try lock.tryLock()
        other.kill()
        let after = try lock.tryLock()
        if after { try lock.unlock() }
        return !before && after ? "its lock is given back" : "?"
    }
}

final class WholeFileLockScene: FileLockScene, FacilityScene {
    required override init(in place: ScenePlace, forEverybody: Bool) throws { try super.init(in: place, forEverybody: forEverybody) }
}

final class OpenFileDescriptionLockScene: FileLockScene, FacilityScene {
    required override init(in place: ScenePlace, forEverybody: Bool) throws { try super.init(in: place, forEverybody: forEverybody) }
    override class func lock(_ file: FileDescriptor) -> FileLock { .openFileDescription(file, 0..<8) }
}

final class RecordLockScene: FileLockScene, FacilityScene {
    required override init(in place: ScenePlace, forEverybody: Bool) throws { try super.init(in: place, forEverybody: forEverybody) }
    override class func lock(_ file: FileDescriptor) -> FileLock { .record(file, 0..<8) }
}
