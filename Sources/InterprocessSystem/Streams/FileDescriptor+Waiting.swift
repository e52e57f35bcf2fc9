import Glibc
public import SystemPackage

extension FileDescriptor {
    /// Reads what there is, at most `buffer.count` bytes; waits while there is nothing, also where the file was opened not to block
    /// (`O_NONBLOCK`), as whoever has started this process may have done. Returns how many bytes, 0 at the end.
    ///
    /// The corresponding C functions are `read` and `poll`.
    public func readWaiting(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        while true {
            do throws(Errno) {
                return try systemCall("read") { unsafe resultOrErrno(Glibc.read(rawValue, buffer.baseAddress, buffer.count)) }
            } catch .resourceTemporarilyUnavailable {
                _ = try isReady(for: .reading, until: nil)
            }
        }
    }

    /// Writes all of `bytes`; waits while there is no room, also where the file was opened not to block (`O_NONBLOCK`).
    ///
    /// The corresponding C functions are `write` and `poll`.
    public func writeAllWaiting(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < bytes.count {
            do throws(Errno) {
                done += try systemCall("write") {
                    unsafe resultOrErrno(Glibc.write(rawValue, bytes.baseAddress! + done, bytes.count - done))
                }
            } catch .resourceTemporarilyUnavailable {
                _ = try isReady(for: .writing, until: nil)
            }
        }
    }
}
