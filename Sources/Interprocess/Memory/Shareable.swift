/// A type whose values may stand in memory that processes share: fixed in size, copied byte by byte, and without anything that means
/// something in
/// one process only.
///
/// `BitwiseCopyable` alone lets pointers in; a conformance to `Shareable` is a statement that there are none. It is checked: making or
/// opening an
/// object whose element type holds a pointer, at any depth, stops the program with the name of the field.
///
/// ```swift
/// struct Reading: Shareable { var sensor: UInt32; var celsius: Float }
/// ```
public protocol Shareable: BitwiseCopyable, Sendable {
    /// The name by which two programs recognise the type as the same. By default the type's own name without its module, so that each
    /// program may
    /// declare it.
    static var sharedIdentifier: String { get }
}

extension Shareable {
    public static var sharedIdentifier: String { String(describing: Self.self) }
}

extension Int: Shareable {}
extension Int8: Shareable {}
extension Int16: Shareable {}
extension Int32: Shareable {}
extension Int64: Shareable {}
extension UInt: Shareable {}
extension UInt8: Shareable {}
extension UInt16: Shareable {}
extension UInt32: Shareable {}
extension UInt64: Shareable {}
extension Float: Shareable {}
extension Double: Shareable {}
extension Bool: Shareable {}
extension InlineArray: Shareable where Element: Shareable {}
