import CInterprocess
import Glibc
import SystemPackage

extension FileLock {
    /// What the kernel is asked for.
    enum Operation { case shared, exclusive, unlock }

    func call(_ operation: Operation, waiting: Bool) throws(Errno) {
        switch kind {
        case .wholeFile:
            try systemCall("flock") { ipc_flock(file.rawValue, operation.ofFlock | (waiting ? 0 : LOCK_NB)) }
        case .record:
            var lock = byteLock(operation)
            try systemCall("fcntl(F_SETLK)") {
                unsafe ipc_set_byte_lock(file.rawValue, waiting ? ipc_record_setlkw : ipc_record_setlk, &lock)
            }
        case .openFileDescription:
            var lock = byteLock(operation)
            try systemCall("fcntl(F_OFD_SETLK)") {
                unsafe ipc_set_byte_lock(file.rawValue, waiting ? ipc_ofd_setlkw : ipc_ofd_setlk, &lock)
            }
        }
    }

    /// The same, waiting, for a thread of its own. The corresponding C functions are `flock` and `fcntl`.
    func waitingCall(_ mode: Mode) -> ipc_lock_call {
        unsafe ipc_lock_call(
            number: kind == .wholeFile ? ipc_call_flock : ipc_call_fcntl, descriptor: file.rawValue,
            operation: kind == .wholeFile ? mode.operation.ofFlock : kind == .record ? ipc_record_setlkw : ipc_ofd_setlkw,
            bytes: byteLock(mode.operation), ended: nil, context: nil)
    }

    func byteLock(_ operation: Operation) -> ipc_byte_lock {
        // Up to any end is a length of 0; no file has a byte at Int64.max.
        let length = bytes.upperBound == .max ? 0 : bytes.upperBound - bytes.lowerBound
        return ipc_byte_lock(start: bytes.lowerBound, length: length, type: operation.ofFcntl, owner: 0)
    }
}

extension FileLock.Mode {
    var operation: FileLock.Operation { self == .shared ? .shared : .exclusive }
}

extension FileLock.Operation {
    fileprivate var ofFlock: CInt {
        switch self {
        case .shared: LOCK_SH
        case .exclusive: LOCK_EX
        case .unlock: LOCK_UN
        }
    }

    fileprivate var ofFcntl: Int32 {
        switch self {
        case .shared: Int32(F_RDLCK)
        case .exclusive: Int32(F_WRLCK)
        case .unlock: Int32(F_UNLCK)
        }
    }
}
