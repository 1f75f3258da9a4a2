namespace Trust.Pkcs11;

/// <summary>Keys that are there, or are made.</summary>
public static class TokenKeys
{
    extension(IToken token)
    {
        /// <summary>The key of that name; made where there is none. Of several instances that ask at once all get the same key.</summary>
        /// <param name="key">Its name.</param>
        /// <param name="algorithm">What it is made as.</param>
        /// <param name="ct">Cancels.</param>
        /// <exception cref="TokenException">
        /// WRONG_KEY: the key there is of another algorithm. KEY_CONTENDED: two instances made it at the same instant; ask again. Else as <see cref="IToken.Generate"/>.
        /// </exception>
        public async ValueTask<TokenKey> FindOrGenerate(KeyRef key, KeyAlgorithm algorithm, CancellationToken ct)
        {
            if (await token.Find(key, ct) is not { } held)
            {
                try
                {
                    return await token.Generate(key, algorithm, ct);
                }
                catch (TokenException e) when (e.CodeName is TokenException.KeyExists)
                {
                    held = await token.Find(key, ct);
                    if (held is null)
                    {
                        throw;
                    }
                }
            }

            return held.Algorithm == algorithm
                ? held
                : throw new TokenException("WRONG_KEY", $"Key {key.Label} is {held.Algorithm}, not {algorithm}.");
        }
    }
}
