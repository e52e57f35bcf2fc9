import CInterprocess
import SystemPackage

/// The two files of a transfer: it is possible when the one can be read and the other written.
struct TransferEnds: Sendable {
    let source: FileDescriptor, target: FileDescriptor

    /// Tries until there is a result; waits for both in between, until `deadline`.
    func whenReady<R>(until deadline: MonotonicInstant, _ attempt: () throws(FacilityError) -> R?) throws(FacilityError) -> R {
        while true {
            if let result = try attempt() { return result }
            try wait(for: source, .reading, until: deadline)
            try wait(for: target, .writing, until: deadline)
        }
    }

    /// The same; suspends the task.
    func whenReady<R>(until deadline: MonotonicInstant?, _ attempt: () throws(FacilityError) -> R?) async throws(FacilityError) -> R {
        while true {
            if let result = try attempt() { return result }
            do throws(Errno) {
                try await Readiness.wait(for: source, .reading, until: deadline)
                try await Readiness.wait(for: target, .writing, until: deadline)
            } catch {
                throw FacilityError(.transfer, "epoll", error)
            }
        }
    }

    private func wait(for file: FileDescriptor, _ interest: PolledDescriptor.Interest, until deadline: MonotonicInstant)
        throws(FacilityError)
    {
        let isReady = try Facility.transfer.checking("ppoll") { () throws(Errno) in try file.isReady(for: interest, until: deadline) }
        if !isReady { throw FacilityError(.transfer, "ppoll", .deadline) }
    }

    /// How many of `count` bytes can be put into the target without waiting; nil if none. The kernel does not say it: where `poll` finds room, a page has.
    func room(for count: Int) throws(FacilityError) -> Int? {
        guard try isReadyNow(target, .writing, .transfer) else { return nil }
        let kind = try Facility.transfer.checking("fstat") { () throws(Errno) in try FileStatus(of: target).kind }
        return kind == .regular ? count : min(count, Pipe.atomicByteCount)
    }
}

/// Makes a call with the place in a file, or with NULL for the file's own position.
func withOffset(_ offset: Int?, _ body: (UnsafeMutablePointer<Int64>?) -> Int) -> Int {
    guard let offset else { return body(nil) }
    var place = Int64(offset)
    return unsafe body(&place)
}

extension Facility {
    /// Bytes that go from file to file in the kernel.
    public static let transfer = Facility("transfer") { operation, error in
        switch (operation, error) {
        case (_, .resourceTemporarilyUnavailable):
            "somebody has made one of the files non-blocking (O_NONBLOCK); use the form that has a deadline"
        case (_, .brokenPipe): "nobody has the reading end any more; stop writing, or find out how the reader ended"
        case (_, .illegalSeek): "a pipe or socket has no places; leave the offset out"
        case ("copy_file_range", .improperLink):
            "the files are on two file systems, of which the kernel copies not from one to the other; read and write them"
        case ("copy_file_range", .invalidArgument): "both are to be regular files, the ranges of one file apart, and offsets 0 or more"
        case ("copy_file_range", .badFileDescriptor): "the source must be open for reading, the target for writing and not for appending"
        case ("copy_file_range", .isDirectory): "a directory has no bytes to copy; take a file"
        case ("copy_file_range", .textFileBusy): "one of the files is used for swapping; take another"
        case (_, .fileTooLarge): "the target would be larger than it may be; write less, or raise the limit (ulimit -f)"
        case (_, .overflow): "the place and the count together are more than a file may have; look at them"
        case ("sendfile", .invalidArgument):
            "the source must be a file that can be mapped, the target not be open for appending, and an offset 0 or more; else read and write"
        case ("sendfile", .noSuchAddressOrDevice): "the source is not of a kind that can be sent from; read and write"
        case ("splice", .invalidArgument):
            "the other file must be of a kind that can do this, not be open for appending nor be the same pipe, and an offset 0 or more; else read and write"
        case ("tee", .invalidArgument): "a pipe is not copied to itself; take another one"
        case ("vmsplice", .badAddress): "the memory is not this process's; lend what is mapped"
        case ("vmsplice", .invalidArgument): "this end is no pipe's; lend to a pipe"
        case (_, .ioError): "the file could not be read or written; look at the disk, or at the other side"
        default: nil
        }
    }
}
