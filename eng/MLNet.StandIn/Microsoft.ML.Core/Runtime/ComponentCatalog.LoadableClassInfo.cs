using System.Reflection;

namespace Microsoft.ML.Runtime;

public sealed partial class ComponentCatalog
{
    /// <summary>How one registered class is made: by a property getter, a constructor or a static method.</summary>
    internal sealed class LoadableClassInfo
    {
        private readonly MethodBase _maker;
        private readonly bool _needsEnvironment;

        internal LoadableClassInfo(LoadableClassAttributeBase attr, MethodInfo getter, ConstructorInfo ctor, MethodInfo create, bool requireEnvironment)
        {
            Type = attr.InstanceType;
            LoaderType = attr.LoaderType;
            SignatureTypes = attr.SigTypes;
            _maker = (MethodBase)getter ?? (MethodBase)ctor ?? create;
            _needsEnvironment = requireEnvironment;
        }

        public Type Type { get; }

        public Type LoaderType { get; }

        public IReadOnlyList<Type> SignatureTypes { get; }

        /// <exception cref="TargetInvocationException">The component's code threw the inner exception.</exception>
        /// <exception cref="InvalidOperationException">Loading a part of the component failed.</exception>
        public object CreateInstance(IHostEnvironment env, object[] args)
        {
            object[] all = _needsEnvironment ? [env, .. args] : args;
            try
            {
                return _maker switch
                {
                    null => throw new InvalidOperationException($"Can't instantiate class '{Type.Name}'"),
                    ConstructorInfo constructor => constructor.Invoke(all),
                    _ => _maker.Invoke(null, all),
                };
            }
            catch (TargetInvocationException ex) when (ex.InnerException.IsMarked())
            {
                throw Contracts.Mark(new InvalidOperationException("Error during class instantiation", ex));
            }
        }
    }
}
