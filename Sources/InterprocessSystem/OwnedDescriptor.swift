public import SystemPackage

/// A file descriptor that has one owner and is closed when the owner ends.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// The descriptor, for calls; it stays the owner's.
    public let descriptor: FileDescriptor

    /// Takes over `descriptor`; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { self.descriptor = descriptor }

    public init(owning rawValue: Int) { self.init(owning: FileDescriptor(rawValue: CInt(rawValue))) }

    deinit { try? descriptor.close() }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor {
        let descriptor = descriptor
        discard self
        return descriptor
    }
}
