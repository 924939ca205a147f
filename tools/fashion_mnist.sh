# The words of the commands that train examples/mlp.cr on Fashion-MNIST and look at its test set; sourced by demo.sh and seeds.sh.
data=/usr/share/datasets/fashion-mnist
mlp_train="examples/mlp.cr --data x=$data/train-images-idx3-ubyte.gz --data y=$data/train-labels-idx1-ubyte.gz --epochs 15 --batch 128 --validation 5000"
mlp_rate='adam(rate=0.002*cosine(step, 6450))'
mlp_test="examples/mlp.cr --data x=$data/t10k-images-idx3-ubyte.gz --data y=$data/t10k-labels-idx1-ubyte.gz"
