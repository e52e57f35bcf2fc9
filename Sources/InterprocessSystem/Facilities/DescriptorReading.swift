import CInterprocess
import Glibc
import SystemPackage

/// Reads from any descriptor; waits while there is nothing. The corresponding C function is `read`.
func readBlocking(_ file: FileDescriptor, into buffer: inout MutableSpan<UInt8>, of facility: Facility) throws(FacilityError) -> Int {
    try unsafe buffer.withUnsafeMutableBytes { (buffer) throws(FacilityError) in
        try facility.call("read") { unsafe resultOrErrno(read(file.rawValue, buffer.baseAddress, buffer.count)) }
    }
}

/// Reads from any descriptor without waiting; nil if there is nothing. The corresponding C function is `preadv2(RWF_NOWAIT)`, and where the kernel has
/// it not for such a descriptor, `poll` and `read`.
func readNow(_ file: FileDescriptor, into buffer: inout MutableSpan<UInt8>, of facility: Facility) throws(FacilityError) -> Int? {
    do throws(FacilityError) {
        return try unsafe buffer.withUnsafeMutableBytes { (buffer) throws(FacilityError) in
            try facility.tryCall("preadv2(RWF_NOWAIT)") { unsafe ipc_read_flags(file.rawValue, buffer.baseAddress, buffer.count, ipc_now) }
        }
    } catch let error where error.errno == .notSupported || error.errno == .notSupportedOnSocket {
        guard try isReadyNow(file, .reading, facility) else { return nil }
        return try readBlocking(file, into: &buffer, of: facility)
    }
}

/// Whether a call would not block. The corresponding C function is `ppoll`.
func isReadyNow(_ file: FileDescriptor, _ interest: PolledDescriptor.Interest, _ facility: Facility) throws(FacilityError) -> Bool {
    try facility.checking("ppoll") { () throws(Errno) in try file.isReady(for: interest, until: .now) }
}
