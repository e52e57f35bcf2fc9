import InterprocessSystem
import SystemPackage

/// Descriptors that were inherited or received.
extension SegmentFile {
    /// What `fstat` says of the file behind `descriptor`, which must be a plain or a memory file.
    static func status(of descriptor: FileDescriptor, _ operation: String, _ label: String) throws(InterprocessError) -> FileStatus {
        let status: FileStatus
        do throws(Errno) {
            status = try FileStatus(of: descriptor)
        } catch {
            guard error == .badFileDescriptor else { throw .system(error, operation, label, "asking for its status") }
            throw InterprocessError(
                .system, operation, label, errno: error,
                "this process has no such descriptor open; let whoever starts it pass one, or use the number under which one was received")
        }
        guard status.kind == .regular else {
            throw InterprocessError(
                .notASegment, operation, label, "it is a directory, pipe, socket or device; pass the descriptor of a segment")
        }
        return status
    }

    /// Opens the file behind `descriptor` once more: locks belong to openings, and an inherited descriptor shares its parent's.
    static func reopen(_ descriptor: FileDescriptor, _ operation: String, _ label: String) throws(InterprocessError) -> OwnedDescriptor {
        let links: Directory
        do throws(Errno) {
            links = try Directory(opening: "/proc/self/fd")
        } catch {
            throw error == .noSuchFileOrDirectory
                ? InterprocessError(
                    .system, operation, label, errno: error, "a passed descriptor is opened through /proc, which is not mounted; mount it")
                : .system(error, operation, label, "opening /proc/self/fd")
        }
        do throws(Errno) {
            return try links.openFollowing("\(descriptor.rawValue)")
        } catch {
            throw .system(error, operation, label, "opening it for reading and writing")
        }
    }
}
